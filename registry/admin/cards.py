"""On the pages of versions: the model card, and how two versions differ."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from access.facts import FactsAdmin
from registry.cards.markdown import to_html
from registry.cards.sections import BEGIN, END
from registry.contents import load_card, load_diff
from registry.errors import RegistryError
from registry.models import Version


class CardPages(FactsAdmin):
    """Adds to the pages of versions: the card, what its check found, and a comparison of two.

    For a mixin's sake the acts and fields are listed in `CARD_ACTS` and `CARD_FIELDS`.
    """

    CARD_ACTS = ("compare",)
    CARD_FIELDS = ("card_check", "card")

    class Media:
        css: ClassVar = {"all": ["registry/card.css"]}

    def get_urls(self) -> list[Any]:
        page = path(
            "<int:before>/diff/<int:after>/",
            self.admin_site.admin_view(self.diff_page),
            name="registry_version_diff",
        )
        return [page, *super().get_urls()]

    @admin.display(description="model card")
    def card(self, row: Version) -> SafeString:
        try:
            text = load_card(str(row.model), row.number).markdown
        except RegistryError as error:
            return format_html("<p>{}</p>", error.message)
        html = to_html(text.replace(BEGIN, "").replace(END, ""))
        return format_html('<div class="bw-card">{}</div>', mark_safe(html))  # noqa: S308

    @admin.display(description="check of the card")
    def card_check(self, row: Version) -> SafeString | str:
        try:
            lint = load_card(str(row.model), row.number).lint
        except RegistryError as error:
            return error.message
        found = [("error", each) for each in lint.errors]
        found += [("warning", each) for each in lint.warnings]
        return format_html_join("", "<p>{}: {}</p>", found) or "nothing to mend"

    @admin.action(description="Compare: how two versions differ", permissions=["view"])
    def compare(self, request: HttpRequest, rows: QuerySet[Version]) -> HttpResponseRedirect | None:
        pair = list(rows.order_by("number")[:3])
        if len(pair) != 2 or pair[0].model_id != pair[1].model_id:
            self.message_user(request, "Select two versions of one model.", messages.ERROR)
            return None
        url = reverse("admin:registry_version_diff", args=[pair[0].pk, pair[1].pk])
        return HttpResponseRedirect(url)

    def diff_page(self, request: HttpRequest, before: int, after: int) -> HttpResponse:
        """Two versions of one model side by side."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = Version.objects.select_related("model")
        one = get_object_or_404(rows, pk=before)
        other = get_object_or_404(rows, pk=after, model=one.model_id)
        try:
            diff = load_diff(str(one.model), one.number, other.number)
        except RegistryError as error:
            self.message_user(request, error.message, messages.ERROR)
            return HttpResponseRedirect(reverse("admin:registry_version_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "title": f"{one.model}: version {one.number} and version {other.number}",
            "opts": self.model._meta,
            "before": one,
            "after": other,
            "diff": diff,
            "parts": diff.parts().items(),
        }
        return TemplateResponse(request, "admin/registry/version_diff.html", context)
