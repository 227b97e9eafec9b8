"""Two versions of a model side by side."""

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from access.scopes import Scope
from monitoring.dashboard.comparing import DAYS, DEFAULT_DAYS, Sides, load_sides
from monitoring.dashboard.pages import load_model, model_tabs, page, query_of, render
from registry import listing
from registry.errors import VersionNotFound

MOST_CHOICES = 200
MOST_DIGITS = 9


@page(Scope.READ)
def compare(request: HttpRequest, namespace: str, name: str) -> HttpResponseBase:
    model = load_model(namespace, name)
    query = query_of(request)
    before, after = (_number(query.get(field, "")) for field in ("before", "after"))
    days = _number(query.get("days", ""))
    days = days if days in DAYS else DEFAULT_DAYS
    try:
        is_pair = bool(before and after and before != after)
        now = timezone.now()
        sides = load_sides(model.name, before, after, days=days, now=now) if is_pair else None
    except VersionNotFound as error:
        raise Http404(error.message) from error
    return render(
        request,
        "compare.html",
        title=f"{model.name}: compare",
        purpose="How one version differs from another: what its labels say, and what is in it.",
        tabs=model_tabs(model.name, "versions"),
        model=model,
        namespace=namespace,
        name=name,
        before=before,
        after=after,
        days=days,
        windows=DAYS.items(),
        numbers=listing.load_numbers(model.name, limit=MOST_CHOICES),
        sides=sides,
        both=(sides.before, sides.after) if sides else (),
        lines=(*sides.measured.averages, *sides.measured.classes) if sides else (),
        cards=_cards(sides) if sides else (),
        window_told=DAYS[days],
    )


def _cards(sides: Sides) -> list[dict[str, object]]:
    numbers = sides.before.spec.number, sides.after.spec.number
    return [
        {"number": number, "html": html} for number, html in zip(numbers, sides.cards, strict=True)
    ]


def _number(text: str) -> int:
    is_number = text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS
    return int(text) if is_number else 0
