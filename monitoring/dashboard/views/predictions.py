"""Predictions: search them, look at one, say what is true of it, forget whom it is about."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from access.errors import BellwetherError
from access.persons import can, get_actor
from access.scopes import Scope
from monitoring.dashboard.pages import page, query_of, render, told
from monitoring.dashboard.predictions import (
    DEFAULT_RANGE,
    RANGES,
    load_detail,
    load_rows,
    model_names,
)
from monitoring.errors import MonitoringError, PredictionNotFound
from monitoring.exports.formats import Format
from monitoring.forgetting import forget_hashed
from monitoring.models import Prediction
from monitoring.searching import FIELDS, MOST_SCANNED, Search, parse_search
from monitoring.services import give_feedback
from monitoring.specs import parse_item

_RARE = ("version", "score_from", "score_to", "segment", "route", "truncated", "from", "to")


@page(Scope.READ)
def predictions(request: HttpRequest) -> HttpResponseBase:
    query = query_of(request)
    if (id := _as_uuid(query.get("text", ""))) is not None:
        return redirect("dashboard:prediction", id)
    now = timezone.now()
    chosen = query.get("range") if query.get("range") in RANGES else DEFAULT_RANGE
    given = {name: value for name in FIELDS if (value := query.get(name, "").strip())}
    context: dict[str, Any] = {
        "given": given | _local(given),
        "range": "" if "from" in given or "to" in given else chosen,
        "ranges": {name: title for name, (title, _) in RANGES.items()},
        "models": model_names(),
        "has_rare": any(name in given for name in _RARE),
        "most_scanned": MOST_SCANNED,
    }
    try:
        search = parse_search(_ranged(given, chosen or DEFAULT_RANGE, now), now=now)
        context |= _results(search, given, str(chosen), _as_uuid(query.get("below", "")))
    except BellwetherError as error:
        context["error"] = error.message
    return render(
        request,
        "predictions.html",
        title="Predictions",
        purpose="Every answer that was given and is still kept: find one by what was asked, "
        "answered or said of it.",
        **context,
    )


def _results(
    search: Search, given: dict[str, str], chosen: str, below: UUID | None
) -> dict[str, object]:
    found = load_rows(search, below=below)
    has_times = "from" in given or "to" in given
    here = given | ({} if has_times else {"range": chosen})
    window = {"from": search.window.start.isoformat(), "to": search.window.end.isoformat()}
    exported = urlencode(given | window)
    return {
        "found": found,
        "search": search,
        "is_first": below is None,
        "first": f"?{urlencode(here)}",
        "next": f"?{urlencode(here | {'below': str(found.following)})}" if found.following else "",
        "exports": [
            (str(ending), f"/api/v1/exports/predictions.{ending}?{exported}") for ending in Format
        ],
    }


@page(Scope.READ)
def prediction(request: HttpRequest, prediction: UUID) -> HttpResponseBase:
    if request.method == "POST":
        return _give(request, prediction)
    try:
        detail = load_detail(prediction)
    except PredictionNotFound as error:
        raise Http404(error.message) from None
    row = detail.prediction
    namespace, _, name = row.model.partition("/")
    return render(
        request,
        "prediction.html",
        title="A prediction",
        purpose="What was asked, what was answered and how fast, and what was said of it since.",
        detail=detail,
        row=row,
        model_url=reverse("dashboard:model", args=[namespace, name]),
        versions_url=reverse("dashboard:versions", args=[namespace, name]),
    )


def _give(request: HttpRequest, id: UUID) -> HttpResponseBase:
    """Take a label for the prediction, with the scope `feedback` alone."""
    _require(request, Scope.FEEDBACK)

    def act() -> str:
        raw = {
            "prediction_id": str(id),
            "correct_label": request.POST.get("label", ""),
            "source": request.POST.get("source") or None,
        }
        [outcome] = give_feedback(
            [parse_item(raw)], key_id=f"user:{request.user.pk}", now=timezone.now()
        )
        if isinstance(outcome, MonitoringError):
            raise outcome
        return {
            "recorded": f"{outcome.correct_label} is recorded as the label of this prediction.",
            "revised": f"{outcome.correct_label} is the label that counts from now on.",
            "unchanged": f"{outcome.correct_label} was its label already: nothing changed.",
        }[outcome.status]

    told(request, act)
    return redirect("dashboard:prediction", id)


@page(Scope.ADMIN)
def forget(request: HttpRequest, prediction: UUID) -> HttpResponseBase:
    """Forget everybody whom the prediction is about; asks first."""
    subject = Prediction.objects.filter(pk=prediction).values_list("subject", flat=True).first()
    if not subject:
        raise Http404("this prediction is kept without a subject, or no more")
    if request.method == "POST":
        gone = forget_hashed(subject, actor=get_actor(request))
        messages.success(
            request,
            f"Forgotten: {gone.n_predictions} predictions and {gone.n_exemplars} of the sample.",
        )
        return redirect("dashboard:predictions")
    n = Prediction.objects.filter(subject=subject).count()
    return render(
        request,
        "confirm.html",
        title="Forget a subject",
        purpose="Delete all that is kept about the person whom this prediction is about.",
        lines=[
            f"{n} predictions, with their texts, labels and embeddings, will be deleted. Sums in "
            "which nobody can be found remain.",
            "This cannot be undone. The audit log says how much went, not whose it was.",
        ],
        button="Forget",
        is_dangerous=True,
        back=reverse("dashboard:prediction", args=[prediction]),
    )


def _require(request: HttpRequest, scope: Scope) -> None:
    if not can(request, scope):
        raise PermissionDenied(f"this act needs the scope {scope}")


def _ranged(given: Mapping[str, str], chosen: str, now: datetime) -> dict[str, str]:
    """The query with the beginning that its range means, where it names no times."""
    if "from" in given or "to" in given:
        return dict(given)
    return {**given, "from": (now - RANGES[chosen][1]).isoformat()}


def _local(given: Mapping[str, str]) -> dict[str, str]:
    """Times as the form's fields want them: no zone, which is UTC."""
    found = {}
    for name in ("from", "to"):
        try:
            found[name] = datetime.fromisoformat(given[name]).strftime("%Y-%m-%dT%H:%M")
        except (KeyError, ValueError):
            continue
    return found


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None
