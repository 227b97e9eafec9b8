"""Commits and their names in the admin; sealing a commit makes it a version."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from access.facts import FactsAdmin
from access.persons import get_actor
from registry import services
from registry.admin.acts import each
from registry.models import Commit, Ref


@admin.register(Commit)
class CommitAdmin(FactsAdmin):
    purpose = "What was pushed by the Hugging Face clients, before it becomes a version."
    empty = "Nothing was pushed yet. Set HF_ENDPOINT to this server and use hf upload."
    list_display = ["short", "model", "title", "names", "author", "created_at"]
    list_filter = ["model"]
    search_fields = ["oid", "title", "model__namespace", "model__name"]
    date_hierarchy = "created_at"
    ordering = ["-id"]
    list_select_related = ["model"]
    show_full_result_count = False
    exclude = ["blobs"]
    actions = ["seal"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Commit]:
        rows: QuerySet[Commit] = super().get_queryset(request)
        return rows.prefetch_related("refs", "versions")

    @admin.display(description="commit", ordering="oid")
    def short(self, row: Commit) -> str:
        return row.oid[:12]

    @admin.display(description="known as")
    def names(self, row: Commit) -> str:
        versions = [f"v{version.number}" for version in row.versions.all()]
        return ", ".join([*versions, *(ref.name for ref in row.refs.all())]) or "–"

    @admin.action(description="Seal: make it the next version", permissions=["push"])
    def seal(self, request: HttpRequest, rows: QuerySet[Commit]) -> None:
        def work(row: Commit) -> str:
            done = services.seal(str(row.model), row.oid, actor=get_actor(request))
            word = "is sealed" if done.is_new else "was sealed before"
            return f"{done.version.model} version {done.version.number} {word}"

        each(self, request, rows, work)


@admin.register(Ref)
class RefAdmin(FactsAdmin):
    purpose = "Names for commits and versions: branches grow, tags stay, aliases move."
    empty = "There is no branch or tag yet; the first push makes main."
    list_display = ["name", "kind", "model", "short", "updated_at"]
    list_filter = ["kind", "model"]
    search_fields = ["name", "model__namespace", "model__name"]
    list_select_related = ["model", "commit"]

    @admin.display(description="commit")
    def short(self, row: Ref) -> str:
        return row.commit.oid[:12]
