"""What was predicted and what was said about it, to read and never to change."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest

from access.facts import FactsAdmin, FactsInline
from access.scopes import Scope
from monitoring.models import (
    Feedback,
    Prediction,
)

_SHOWN_CHARS = 80


class LabelledFilter(admin.SimpleListFilter):
    title = "labelled"
    parameter_name = "labelled"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "yes"), ("no", "no")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Prediction]
    ) -> QuerySet[Prediction]:
        is_labelled = Exists(Feedback.objects.filter(prediction=OuterRef("pk")))
        if self.value() is None:
            return queryset
        return queryset.filter(is_labelled if self.value() == "yes" else ~is_labelled)


class FeedbackInline(FactsInline):
    model = Feedback
    fields = ["revision", "label", "source", "at", "key_id"]
    ordering = ["-revision"]


@admin.register(Prediction)
class PredictionAdmin(FactsAdmin):
    purpose = "Answers one by one, newest first."
    empty = "Nothing was predicted yet."
    way_out = ("dashboard:playground", "Try a model", Scope.PREDICT)
    list_display = ["at", "model", "version", "label", "shown_score", "shown_text", "segment", "id"]
    # Only filters whose choices are known: finding out means reading the whole table.
    list_filter = [LabelledFilter, "truncated", "route"]
    search_fields = ["=id", "=model", "=label"]
    search_help_text = "A whole id, model (namespace/name) or label."
    ordering = ["-id"]
    list_per_page = 50
    show_full_result_count = False
    inlines = [FeedbackInline]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Prediction], search_term: str
    ) -> tuple[QuerySet[Prediction], bool]:
        if not search_term:
            return queryset, False
        if (id := _as_uuid(search_term)) is not None:
            return queryset.filter(id=id), False
        return queryset.filter(Q(model=search_term) | Q(label=search_term)), False

    @admin.display(description="score", ordering="score")
    def shown_score(self, row: Prediction) -> str:
        return f"{row.score:.4f}"

    @admin.display(description="text")
    def shown_text(self, row: Prediction) -> str:
        text = row.text if row.text is not None else "(not stored)"
        return text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 1]}…"


@admin.register(Feedback)
class FeedbackAdmin(FactsAdmin):
    purpose = "What people and systems said was right, newest first."
    empty = "Nobody has said yet what was right."
    way_out = ("dashboard:labelling", "Label some predictions", Scope.FEEDBACK)
    list_display = ["at", "prediction_model", "prediction_label", "label", "source", "revision"]
    list_filter = ["source"]
    search_fields = ["=prediction__id", "=prediction__model", "=label"]
    search_help_text = "A whole prediction id, model (namespace/name) or label."
    list_select_related = ["prediction"]
    ordering = ["-at"]
    list_per_page = 50
    show_full_result_count = False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Feedback], search_term: str
    ) -> tuple[QuerySet[Feedback], bool]:
        if not search_term:
            return queryset, False
        if (id := _as_uuid(search_term)) is not None:
            return queryset.filter(prediction_id=id), False
        return queryset.filter(Q(prediction__model=search_term) | Q(label=search_term)), False

    @admin.display(description="model")
    def prediction_model(self, row: Feedback) -> str:
        return f"{row.prediction.model} v{row.prediction.version}"

    @admin.display(description="predicted")
    def prediction_label(self, row: Feedback) -> str:
        return row.prediction.label


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None
