"""Serving processes in the admin, and what each has of every version."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from access.facts import FactsAdmin
from registry.convergence import ALIVE_S, age_s
from registry.models import Golden, Replica

_ROW = "<tr><td>{}</td><td>v{}</td><td>{}</td><td>{}</td><td>{}</td></tr>"
_TABLE = (
    "<table><thead><tr><th>model</th><th>version</th><th>state</th><th>reason</th>"
    "<th>what the steps showed</th></tr></thead><tbody>{}</tbody></table>"
)


@admin.register(Replica)
class ReplicaAdmin(FactsAdmin):
    """A row for each process that serves, gone half a minute after it was last heard of."""

    purpose = "The processes that serve now, what each has in memory and how well it is."
    empty = "No serving process has been heard of in the last half minute. Start one: make serve."
    list_display = ["id", "ready", "alive", "serves", "memory", "started_at", "heartbeat_at"]
    readonly_fields = ["versions", "serves", "memory", "alive"]
    exclude = ["states", "rss_bytes"]
    ordering = ["started_at"]

    @admin.display(boolean=True, ordering="is_ready")
    def ready(self, row: Replica) -> bool:
        return row.is_ready

    @admin.display(boolean=True, description="heard of")
    def alive(self, row: Replica) -> bool:
        return age_s(row.heartbeat_at, timezone.now()) <= ALIVE_S

    @admin.display(description="memory (MB)", ordering="rss_bytes")
    def memory(self, row: Replica) -> str:
        return f"{row.rss_bytes / 1e6:.0f}"

    @admin.display(description="answers with")
    def serves(self, row: Replica) -> str:
        active = [f"{m} v{v['version']}" for m, v in _versions(row) if v["state"] == "active"]
        asleep = [f"{model} (asleep)" for model, state in _states(row) if state.get("asleep")]
        return ", ".join((*active, *asleep)) or "nothing"

    @admin.display(description="versions")
    def versions(self, row: Replica) -> SafeString:
        rows = [
            (model, v["version"], v["state"], v["reason"] or "", _shown(v["evidence"]))
            for model, v in _versions(row)
        ]
        return format_html(_TABLE, format_html_join("", _ROW, rows))

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).order_by("started_at")


@admin.register(Golden)
class GoldenAdmin(FactsAdmin):
    """Golden inputs come with a version's files or are made from it; nobody types them in."""

    purpose = "Inputs that a version must answer as it did before, or it gets no traffic."
    empty = "There are none yet: they are made with a version's first loading."
    list_display = ["version", "n_cases", "tolerance", "is_given", "created_at"]
    list_filter = ["is_given"]
    list_select_related = ["version__model"]
    search_fields = ["version__model__namespace", "version__model__name"]

    @admin.display(description="cases")
    def n_cases(self, row: Golden) -> int:
        return len(row.cases)


def _states(row: Replica) -> list[tuple[str, dict[str, Any]]]:
    return list(row.states.items()) if isinstance(row.states, dict) else []


def _versions(row: Replica) -> list[tuple[str, dict[str, Any]]]:
    return [(model, each) for model, state in _states(row) for each in state.get("versions", ())]


def _shown(evidence: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in evidence.items())
