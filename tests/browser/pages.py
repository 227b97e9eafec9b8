"""Every page that people see: for pictures, for accessibility, and for the bounds of a phone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.browser.world import MODEL, World

Address = Callable[[World], str]


@dataclass(frozen=True)
class Page:
    """`name` is that of its pictures; `path` may ask the world for an id."""

    name: str
    path: str | Address

    def address(self, world: World) -> str:
        return self.path if isinstance(self.path, str) else self.path(world)


def _first(path: str, key: str = "id", **query: Any) -> Callable[[World], str]:
    def find(world: World) -> str:
        with world.client() as client:
            answer = client.get(path, params=query).raise_for_status().json()
        return str(answer["results"][0][key])

    return find


def _of(before: str, find: Callable[[World], str], after: str = "/") -> Address:
    return lambda world: f"{before}{find(world)}{after}"


_alert = _first("/api/v1/alerts")
_prediction = _first("/api/v1/predictions")
_channel = _first("/api/v1/channels")

PAGES = (
    Page("home", "/admin/"),
    Page("model", f"/admin/models/{MODEL}/?range=1h"),
    Page("versions", f"/admin/models/{MODEL}/versions/"),
    Page("compare", f"/admin/models/{MODEL}/versions/compare/?before=1&after=2"),
    Page("promote", f"/admin/models/{MODEL}/versions/2/promote/"),
    Page("deployment", f"/admin/models/{MODEL}/deployment/"),
    Page("drift", f"/admin/models/{MODEL}/drift/?last=200"),
    Page("labelling", "/admin/labelling/"),
    Page("labelling-model", f"/admin/models/{MODEL}/labelling/"),
    Page("feedback-upload", "/admin/feedback/upload/"),
    Page("predictions", "/admin/predictions/"),
    Page("prediction", _of("/admin/predictions/", _prediction)),
    Page("alerts", "/admin/alerts/"),
    Page("alert", _of("/admin/alerts/", _alert)),
    Page("channels", "/admin/channels/"),
    Page("channel-make", "/admin/channels/new/"),
    Page("channel", _of("/admin/channels/", _channel)),
    Page("playground", "/admin/playground/"),
    Page("settings", "/admin/settings/"),
    Page("jobs", "/admin/inference/job/"),
    Page("backups", "/admin/registry/backup/"),
    Page("keys", "/admin/access/apikey/"),
    Page("people", "/admin/auth/user/"),
    Page("audit", "/admin/registry/event/"),
    Page("operations", "/admin/registry/operation/"),
    Page("references", "/admin/monitoring/reference/"),
    Page("not-found", "/admin/predictions/00000000-0000-7000-8000-000000000000/"),
)
