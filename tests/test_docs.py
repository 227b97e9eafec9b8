"""The reference pages name everything that exists, and nothing that does not.

`python -m tests.test_docs` prints docs/reference/commands.md as it should be.
"""

import argparse
import ast
import importlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()

from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand
from django.urls import URLPattern, URLResolver, get_resolver
from prometheus_client.metrics import MetricWrapperBase
from rest_framework.permissions import BasePermission

from access.drf import HasScope, needed_scope
from access.errors import BellwetherError
from access.scopes import Scope
from config.env import SETTINGS
from config.schema import documented_endpoints
from inference import metrics
from inference.http import classic, native, operations
from inference.http.errors import STATUS
from monitoring import metrics as monitor_metrics

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("*.md"))]
APPS = ("access", "registry", "inference", "monitoring", "config")
REFERENCE = ROOT / "docs" / "reference"
MODULES = ("access.errors", "registry.errors", "inference.errors", "monitoring.errors")
# The plan's words; docs/glossary.md may define more.
WORDS = frozenset(
    """RegisteredModel, Version, Artifact, Blob, Manifest, View, Route, Task, Runtime, Predictor,
    Entry, Batch, Lane, Limits, Engine, PredictionRecord, Recorder, Journal, Reference, Window,
    Verdict, Job, Event, promote, roll back, retire, Reconciler, Build, Roll-up, Feedback, Segment,
    Scope""".replace("\n    ", " ").split(", ")
)

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TYPED = re.compile(r"<!-- (\w+) -->\n```json\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def rows(page: str, first: str = r"[^`|]+") -> dict[str, list[str]]:
    """Return the table rows of a reference page: what is in backticks first → the other cells."""
    found: dict[str, list[str]] = {}
    for line in (REFERENCE / page).read_text().splitlines():
        if match := re.match(rf"\| `({first})` \| (.*) \|$", line):
            assert match[1] not in found, f"{page} has two rows for {match[1]}"
            found[match[1]] = [cell.strip() for cell in match[2].split(" | ")]
    return found


def blocks(page: Path, kind: str) -> Iterator[str]:
    return (text for found, text in FENCE.findall(page.read_text()) if found == kind)


def test_every_setting_is_documented_as_it_is() -> None:
    real = {s.name: [f"`{s.default}`" if s.default else "empty", s.help] for s in SETTINGS}
    assert rows("settings.md", r"[A-Z_]+") == real


def test_every_secret_setting_says_that_a_file_may_hold_it() -> None:
    text = (REFERENCE / "settings.md").read_text()
    for setting in SETTINGS:
        assert (f"`{setting.name}_FILE`" in text) == setting.secret


def error_codes() -> set[str]:
    for app in MODULES:
        importlib.import_module(app)
    importlib.import_module("config.exceptions")
    waiting: list[type[BellwetherError]] = [BellwetherError]
    codes = set()
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if "code" in vars(kind) and kind.__module__.split(".")[0] in APPS:
            codes.add(kind.code)
    return codes - {BellwetherError.code}


def test_every_error_code_has_a_status() -> None:
    assert error_codes() - set(STATUS) == set()


def test_every_status_belongs_to_an_error() -> None:
    # A job row keeps this code: nothing raises it.
    assert set(STATUS) == error_codes()


def test_every_error_code_is_documented_with_its_status() -> None:
    documented = {code: cells[0] for code, cells in rows("errors.md", "[a-z_]+").items()}
    assert documented == {code: str(status) for code, status in STATUS.items()}


def test_every_error_has_a_meaning_and_a_remedy() -> None:
    for code, cells in rows("errors.md", "[a-z_]+").items():
        assert len(cells) == 3, code
        assert all(cells), code


def test_every_metric_is_documented_as_it_is() -> None:
    real = {}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            name = metric._name + ("_total" if metric._type == "counter" else "")
            labels = ", ".join(f"`{label}`" for label in metric._labelnames) or "none"
            real[name] = [metric._type, labels, metric._documentation]
    for family in monitor_metrics.FAMILIES:
        labels = ", ".join(f"`{label}`" for label in family.labels) or "none"
        real[family.name] = ["gauge", labels, family.help]
    assert rows("metrics.md", "bellwether_[a-z0-9_]+") == real


def test_alert_rules_name_metrics_that_exist() -> None:
    named = set()
    shipped = (ROOT / "deploy/prometheus/rules.yml").read_text()
    for rule in (*blocks(REFERENCE / "metrics.md", "yaml"), shipped):
        named |= set(re.findall(r"bellwether_[a-z0-9_]+", rule))
    known = set(rows("metrics.md", "bellwether_[a-z0-9_]+"))
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in named} <= known


def our_commands() -> list[tuple[str, BaseCommand]]:
    apps = get_commands()
    ours = [(APPS.index(app), name, app) for name, app in apps.items() if app in APPS]
    return [(name, load_command_class(app, name)) for _, name, app in sorted(ours)]


def render_commands() -> str:
    """Return docs/reference/commands.md, made from the commands' own help."""
    lines = [
        "# Commands",
        "",
        "Run them from the repository with `.venv/bin/python manage.py NAME`. They use the same",
        "settings as the server and may run beside it. A command that fails says why in one",
        "sentence and ends with status 1. Django's own commands and options are left out here.",
        "",
        "This page is made by `.venv/bin/python -m tests.test_docs > docs/reference/commands.md`.",
    ]
    for name, command in our_commands():
        lines += ["", f"## `{name}`", "", command.help, ""]
        lines += _render_arguments(command, name)
    return "\n".join(lines).rstrip() + "\n"


def _render_arguments(command: BaseCommand, name: str) -> list[str]:
    shared = {tuple(a.option_strings) for a in BaseCommand().create_parser("", "")._actions}
    own = [
        action
        for action in command.create_parser("", name)._actions
        if not action.option_strings or tuple(action.option_strings) not in shared
    ]
    if not own:
        return ["It takes no arguments."]
    cells = [f"| {_shown(action)} | {action.help} |" for action in own]
    return ["| argument | meaning |", "| --- | --- |", *cells]


def _shown(action: argparse.Action) -> str:
    if action.option_strings:
        value = "" if action.nargs == 0 else f" {action.dest.upper()}"
        shown = ", ".join(f"`{option}{value}`" for option in action.option_strings)
    else:
        shown = f"`{action.dest.upper()}`"
    is_needed = action.required if action.option_strings else action.nargs != "?"
    choices = ": " + ", ".join(f"`{choice}`" for choice in action.choices) if action.choices else ""
    return f"{shown}{'' if is_needed else ' (optional)'}{choices}"


def test_the_page_of_commands_is_their_own_help() -> None:
    assert (REFERENCE / "commands.md").read_text() == render_commands()


def real_paths() -> set[tuple[str, str, str]]:
    """Return (method, path, scope) of every endpoint of both planes."""
    found = {(e.method, e.path, str(e.scope or "open")) for e in documented_endpoints()}
    for path, view in _views(get_resolver()):
        kind = getattr(view, "cls", None)
        if kind is None or path.startswith("/admin/"):
            continue
        is_open = not any(issubclass(each, HasScope) for each in _permissions(kind))
        methods = [m.upper() for m in ("get", "post", "put", "patch", "delete") if hasattr(kind, m)]
        for method in methods:
            found.add((method, path, "open" if is_open else str(needed_scope(kind, method))))
    return found


def _permissions(view: Any) -> list[type[BasePermission]]:
    return list(view.permission_classes)


def _views(resolver: Any, prefix: str = "/") -> Iterator[tuple[str, Callable[..., Any]]]:
    for pattern in resolver.url_patterns:
        path = prefix + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from _views(pattern, path)
        elif isinstance(pattern, URLPattern):
            initial = getattr(pattern.callback, "view_initkwargs", {})
            if initial and hasattr(pattern.callback, "cls"):
                view = type("Configured", (pattern.callback.cls,), initial)
                yield path, type("Callback", (), {"cls": view})
            else:
                yield path, pattern.callback


def test_every_path_is_documented_with_its_scope() -> None:
    text = (REFERENCE / "http-api.md").read_text()
    documented = set(
        re.findall(r"^\| (GET|POST|PUT|PATCH|DELETE) \| `([^`]+)` \| (\w+) \|", text, re.M)
    )
    real = real_paths()
    assert documented - real == set(), "documented, but not there"
    assert real - documented == set(), "there, but not documented"


def test_every_typed_sample_has_the_fields_of_its_type() -> None:
    samples = TYPED.findall((REFERENCE / "http-api.md").read_text())
    assert {"PredictRequest", "PredictReply", "SentimentReply", "QualitySerializer"} <= {
        name for name, _ in samples
    }
    for name, text in samples:
        assert set(json.loads(text)) == _fields(name), name


def _fields(name: str) -> set[str]:
    for module in (native, classic, operations):
        if kind := getattr(module, name, None):
            return set(kind.__struct_fields__)
    for path in sorted(ROOT.glob("*/api/serializers.py")) + sorted(
        ROOT.glob("*/api/serializers/*.py")
    ):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if kind := getattr(importlib.import_module(module), name, None):
            return set(kind().fields)
    raise AssertionError(f"no type is called {name}")


def test_every_scope_is_documented() -> None:
    assert set(rows("keys.md", "[a-z]+")) == set(Scope)


def test_the_glossary_has_every_word_with_its_module() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text()
    entries = dict(re.findall(r"^\*\*(.+?)\*\* — (.+?)(?=\n\n|\Z)", text, re.M | re.S))
    assert WORDS - set(entries) == set()
    for word, meaning in entries.items():
        assert LINK.search(meaning), f"{word} names no module"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), target


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_samples_are_sound(page: Path) -> None:
    for sample in blocks(page, "json"):
        json.loads(sample)
    for sample in blocks(page, "python"):
        ast.parse(sample)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for kind in ("console", "sh"):
        for sample in blocks(page, kind):
            for line in re.findall(r"^\$ make (.*)$", sample, re.M):
                assert {word for word in line.split() if "=" not in word} <= targets
            assert set(re.findall(r"manage\.py ([\w-]+)", sample)) <= set(get_commands())


if __name__ == "__main__":
    sys.stdout.write(render_commands())
