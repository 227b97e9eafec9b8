"""Routes in the admin: facts, and the acts that give a version a part of the traffic."""

from collections.abc import Callable

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from access.facts import FactsAdmin
from access.persons import get_actor
from access.scopes import Scope
from registry import services
from registry.admin.acts import ReasonForm, each
from registry.models import Route, Version
from registry.routes import WHOLE, Routes, with_canary, with_shadow, without
from registry.services.common import lock_model
from registry.services.routes import current_routes
from registry.specs import RouteMode

CANARY_PERCENT = 5
SHADOW_PERCENT = 10
Plan = Callable[[Routes, int, int], Routes]


class ShareForm(ReasonForm):
    """How much of the traffic."""

    field_order = ("percent", "reason")
    percent = forms.IntegerField(
        min_value=1, max_value=WHOLE, widget=UnfoldAdminIntegerFieldWidget()
    )


@admin.register(Route)
class RouteAdmin(FactsAdmin):
    purpose = "Which versions answer, with which share, and which only see copies."
    empty = "Nothing is routed: no model answers. Promote a version."
    way_out = ("admin:registry_version_changelist", "Go to the versions", Scope.READ)
    list_display = ["model", "number", "role", "weight", "position"]
    list_filter = ["mode"]
    search_fields = ["model__namespace", "model__name"]
    list_select_related = ["model", "version"]

    @admin.display(description="version")
    def number(self, row: Route) -> int:
        return row.version.number

    @admin.display(description="role")
    def role(self, row: Route) -> str:
        if row.mode == RouteMode.SHADOW:
            return "shadow"
        return "canary" if row.position else "stable"


class RouteActs(FactsAdmin):
    """Adds to the page of versions: canary, shadow, stop. Each asks first, then says what it did.

    For a mixin's sake the acts are listed in `ROUTE_ACTS`.
    """

    ROUTE_ACTS = ("canary", "shadow", "stop_route")

    @admin.action(description="Canary: let it answer a part", permissions=["promote"])
    def canary(self, request: HttpRequest, rows: QuerySet[Version]) -> TemplateResponse | None:
        title = "Let this version answer a part of the traffic, taken from the stable version's"
        return self._ask(request, rows, "canary", title, with_canary, CANARY_PERCENT)

    @admin.action(description="Shadow: send it copies of a part", permissions=["promote"])
    def shadow(self, request: HttpRequest, rows: QuerySet[Version]) -> TemplateResponse | None:
        title = "Send this version copies of a part of the traffic; callers never see its answers"
        return self._ask(request, rows, "shadow", title, with_shadow, SHADOW_PERCENT)

    @admin.action(description="Stop its canary or shadow", permissions=["promote"])
    def stop_route(self, request: HttpRequest, rows: QuerySet[Version]) -> TemplateResponse | None:
        title = "Take this version's canary or shadow route away"
        return self._ask(request, rows, "stop_route", title, _stop, None)

    def _ask(
        self,
        request: HttpRequest,
        rows: QuerySet[Version],
        act: str,
        title: str,
        plan: Plan,
        percent: int | None,
    ) -> TemplateResponse | None:
        """Show what would be routed, with a form; do it once that form comes back sound."""
        if rows.count() != 1:
            self.message_user(request, "Select one version.", messages.ERROR)
            return None
        version = rows.get()
        kind = ReasonForm if percent is None else ShareForm
        is_sent = "confirmed" in request.POST
        form = kind(request.POST) if is_sent else kind(initial={"percent": percent})
        if is_sent and form.is_valid():
            values = form.cleaned_data
            share = values.get("percent", 0)
            reason = values["reason"] or "in the admin"
            actor = get_actor(request)
            each(self, request, [version], lambda row: _apply(row, plan, share, actor, reason))
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.model._meta,
            "version": version,
            "current": services.load_routes(str(version.model)),
            "form": form,
            "act": act,
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/registry/route_act.html", context)


def _stop(current: Routes, number: int, percent: int) -> Routes:
    return without(current, number)


@transaction.atomic
def _apply(row: Version, plan: Plan, percent: int, actor: str, reason: str) -> str:
    name = str(row.model)
    # Planned under the lock: what another person routes meanwhile must not be undone unseen.
    routes = plan(current_routes(lock_model(name)), row.number, percent)
    done = services.set_routes(name, routes, actor=actor, reason=reason)
    return f"{name}: " + ", ".join(
        f"version {route.version} {'shadows' if route.mode is RouteMode.SHADOW else 'answers'} "
        f"{route.weight} %"
        for route in done
    )
