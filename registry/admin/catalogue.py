"""Models, versions and blobs in the admin: facts, and the acts on them."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import action

from access.facts import FactsAdmin
from access.persons import get_actor
from access.scopes import Scope
from registry import services
from registry.admin.acts import each, each_after_asking
from registry.admin.cards import CardPages
from registry.admin.endpoints import EndpointActs, RegisterEndpointActs
from registry.admin.routes import RouteActs
from registry.admin.trust import PolicyActs
from registry.errors import RegistryError
from registry.models import Blob, RegisteredModel, Version
from registry.specs import RouteMode


@admin.register(RegisteredModel)
class RegisteredModelAdmin(PolicyActs, RegisterEndpointActs):
    purpose = "The models that this server knows, and which version of each answers."
    empty = "No model is registered yet. Import one, upload an archive, or push one with hf upload."
    way_out = ("admin:registry_operation_changelist", "Bring a model in", Scope.PUSH)
    list_display = ["__str__", "live", "versions", "is_pinned", "description", "created_at"]
    search_fields = ["namespace", "name", "description"]
    list_filter = ["is_pinned", "namespace"]
    readonly_fields = ["live", "versions"]
    actions = [
        "roll_back",
        "pin",
        "unpin",
        *RegisterEndpointActs.ENDPOINT_ACTS,
        *PolicyActs.POLICY_ACTS,
    ]
    actions_list = ["make_model"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[RegisteredModel]:
        rows: QuerySet[RegisteredModel] = super().get_queryset(request)
        return rows.annotate(n_versions=Count("versions")).prefetch_related("routes__version")

    @admin.display(description="live version")
    def live(self, row: RegisteredModel) -> str:
        routes = [route for route in row.routes.all() if route.mode == RouteMode.LIVE]
        return str(routes[0].version.number) if routes else "none"

    @admin.display(description="versions", ordering="n_versions")
    def versions(self, row: Any) -> str:
        url = reverse("admin:registry_version_changelist")
        return format_html('<a href="{}?model__id__exact={}">{}</a>', url, row.pk, row.n_versions)

    @action(  # type: ignore[untyped-decorator]
        description="New model", url_path="make", permissions=["push"], icon="add"
    )
    def make_model(self, request: HttpRequest) -> HttpResponseBase:
        return redirect("dashboard:model-make")

    @admin.action(description="Roll back to the version live before", permissions=["promote"])
    def roll_back(
        self, request: HttpRequest, rows: QuerySet[RegisteredModel]
    ) -> TemplateResponse | None:
        def work(row: RegisteredModel, reason: str) -> str:
            version = services.rollback(str(row), actor=get_actor(request), reason=reason)
            return f"{row} version {version.number} is live"

        what = "The version that was live before answers all requests again. Canaries end with it."
        return each_after_asking(self, request, rows, "roll_back", what, work)

    @admin.action(description="Pin: always keep in memory", permissions=["promote"])
    def pin(self, request: HttpRequest, rows: QuerySet[RegisteredModel]) -> None:
        self._set_pinned(request, rows, is_pinned=True)

    @admin.action(description="Unpin: may make room for others", permissions=["promote"])
    def unpin(self, request: HttpRequest, rows: QuerySet[RegisteredModel]) -> None:
        self._set_pinned(request, rows, is_pinned=False)

    def _set_pinned(
        self, request: HttpRequest, rows: QuerySet[RegisteredModel], *, is_pinned: bool
    ) -> None:
        def work(row: RegisteredModel) -> str:
            actor = get_actor(request)
            services.set_pinned(str(row), is_pinned=is_pinned, actor=actor, reason="in the admin")
            return f"{row} {'stays in memory' if is_pinned else 'may make room for others'}"

        each(self, request, rows, work)


@admin.register(Version)
class VersionAdmin(RouteActs, EndpointActs, CardPages):
    purpose = "Every version of every model, as it was sealed; what it may do is decided here."
    empty = "No version is sealed yet. Import a model, upload an archive, or push one."
    way_out = ("admin:registry_operation_changelist", "Bring a model in", Scope.PUSH)
    list_display = ["__str__", "live", "state", "task", "size", "created_at", "created_by"]
    list_filter = ["state", "task", "model"]
    search_fields = ["model__namespace", "model__name", "digest", "note"]
    date_hierarchy = "created_at"
    ordering = ["-id"]
    list_select_related = ["model"]
    actions = [
        "promote",
        *RouteActs.ROUTE_ACTS,
        *CardPages.CARD_ACTS,
        "retire",
        "verify",
        *EndpointActs.ENDPOINT_ACTS,
    ]
    readonly_fields = CardPages.CARD_FIELDS
    exclude = ["blobs"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Version]:
        rows: QuerySet[Version] = super().get_queryset(request)
        return rows.prefetch_related("routes")

    @admin.display(boolean=True)
    def live(self, row: Version) -> bool:
        return any(route.mode == RouteMode.LIVE for route in row.routes.all())

    @admin.display(description="MB", ordering="n_bytes")
    def size(self, row: Version) -> str:
        return f"{row.n_bytes / 1e6:.1f}"

    @admin.action(description="Promote: let it answer all requests", permissions=["promote"])
    def promote(self, request: HttpRequest, rows: QuerySet[Version]) -> TemplateResponse | None:
        if rows.values("model").distinct().count() != rows.count():
            self.message_user(request, "Select one version of a model.", messages.ERROR)
            return None
        work = _changing(services.promote, "is live", get_actor(request))
        what = "This version answers all of its model's requests from now on. Canaries end with it."
        return each_after_asking(self, request, rows, "promote", what, work)

    @admin.action(description="Retire: take it out of use for good", permissions=["promote"])
    def retire(self, request: HttpRequest, rows: QuerySet[Version]) -> TemplateResponse | None:
        work = _changing(services.retire, "is retired", get_actor(request))
        what = "Never routed again. Its files may be swept once nothing else needs them."
        return each_after_asking(self, request, rows, "retire", what, work)

    @admin.action(description="Verify: read every stored byte again", permissions=["promote"])
    def verify(self, request: HttpRequest, rows: QuerySet[Version]) -> None:
        actor = get_actor(request)
        each(self, request, rows, lambda row: _verify(row, actor))


@admin.register(Blob)
class BlobAdmin(FactsAdmin):
    purpose = "Stored files by their digest, and how many versions share each."
    empty = "No file is stored yet; the first version brings some."
    way_out = ("admin:registry_operation_changelist", "Bring a model in", Scope.PUSH)
    list_display = ["sha256", "size", "n_versions", "created_at"]
    search_fields = ["=sha256"]
    ordering = ["-created_at"]
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Blob]:
        rows: QuerySet[Blob] = super().get_queryset(request)
        return rows.annotate(n_users=Count("versions"))

    @admin.display(description="versions", ordering="n_users")
    def n_versions(self, row: Any) -> int:
        return int(row.n_users)


def _changing(
    change: Callable[..., object], outcome: str, actor: str
) -> Callable[[Version, str], str]:
    def work(row: Version, reason: str) -> str:
        change(str(row.model), row.number, actor=actor, reason=reason)
        return f"{row} {outcome}"

    return work


def _verify(row: Version, actor: str) -> str:
    found = services.verify(str(row.model), row.number, actor=actor).verification
    if found.is_sound:
        return f"{row} is sound"
    n_faults = len(found.missing) + len(found.damaged) + len(found.extra)
    raise RegistryError(f"{row} is damaged: {n_faults} faults, listed in its event")
