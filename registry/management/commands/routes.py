"""`manage.py routes ns/name`: which versions get which share of the traffic."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from registry import services
from registry.management.base import RegistryCommand
from registry.queries import find_model
from registry.specs import RouteMode


class Command(RegistryCommand):
    help = "Show a model's routes, the stable one first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="namespace/name of the model.")
        parser.add_argument("--json", action="store_true", help="One JSON object, for programs.")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"]
        if options["json"]:
            routes = [route.as_json() for route in services.load_routes(name)]
            shown = {"stickiness": find_model(name).stickiness, "routes": routes}
            self.stdout.write(json.dumps(shown))
            return
        self.stdout.write("\n".join(describe(name)))


def describe(name: str) -> Iterator[str]:
    """A line for each of the model's routes, then one that says what keeps callers in place."""
    routes = services.load_routes(name)
    if not routes:
        yield f"{name} has no routes: promote a version"
        return
    for index, route in enumerate(routes):
        if route.mode is RouteMode.SHADOW:
            yield f"version {route.version:<4} shadow  copies of {route.weight} %"
        else:
            yield f"version {route.version:<4} {'canary' if index else 'stable'}  {route.weight} %"
    yield f"callers stay by {find_model(name).stickiness}"
