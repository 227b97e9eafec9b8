"""The page of drift: any two sides by any detectors, with everything in the address."""

import re
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from monitoring.dashboard import drift_plots
from monitoring.dashboard.drift import read_query
from monitoring.dashboard.drift_words import HELP, groups
from monitoring.drift import catalogue
from monitoring.drift.sums import Sums, nothing, sums_of
from monitoring.evaluating.evaluator import evaluate
from monitoring.models import Alert, Evaluation
from tests.access.people import make_person
from tests.monitoring.builders import MODEL
from tests.monitoring.evaluating.builders import (
    add_monitor,
    add_traffic,
    draw,
    go_live,
    keep_reference,
    usual_reference,
)
from tests.monitoring.evaluating.test_api import keep_exemplars
from tests.monitoring.evaluating.test_evaluator import BY_COUNT, rng

pytestmark = pytest.mark.django_db
PAGE = reverse("dashboard:drift", args=MODEL.split("/"))


@pytest.fixture
def viewer() -> Client:
    go_live()
    client = Client()
    client.force_login(make_person("viewer"))
    return client


def send(*, shift: float = 0.4, minutes: int = 0, segment: str = "", seed: int = 1) -> None:
    end = timezone.now() - timedelta(minutes=minutes)
    sample = draw(rng(seed), 1000, shift=shift)
    add_traffic(sample, usual_reference().basis, end=end, segment=segment)


def span(prefix: str, minutes: int) -> dict[str, str]:
    """A window that holds the slot which ended so many minutes ago, and an hour before it."""
    end = timezone.now() - timedelta(minutes=minutes)
    start = end - timedelta(minutes=70)
    return {f"{prefix}from": f"{start:%Y-%m-%dT%H:%M}", f"{prefix}to": f"{end:%Y-%m-%dT%H:%M}"}


def test_every_detector_is_explained_once() -> None:
    shown = [each.name for group in groups(()) for each in group.choices]
    assert sorted(shown) == sorted(catalogue.NAMES)
    assert set(HELP) == set(catalogue.NAMES)


def test_the_page_opens_with_the_last_day_against_the_reference(viewer: Client) -> None:
    keep_reference(usual_reference())
    send()
    text = viewer.get(PAGE).text
    assert "Drift of" in text
    assert "mean embedding" in text
    assert "1,000 predictions of version 1" in text
    assert "Side by side" in text
    assert 'aria-current="page">Drift' in text


def test_without_a_reference_the_page_says_how_to_get_one(viewer: Client) -> None:
    send()
    text = viewer.get(PAGE).text
    assert "This version has no reference yet" in text
    make = reverse("admin:monitoring_reference_make")
    assert make not in text
    viewer.force_login(make_person("operator"))
    assert make in viewer.get(PAGE).text


def test_without_traffic_the_page_says_so(viewer: Client) -> None:
    keep_reference(usual_reference())
    assert "No traffic in this window" in viewer.get(PAGE).text


def test_two_windows_are_compared(viewer: Client) -> None:
    for minutes, shift in ((10, 0.4), (120, 0.0)):
        send(shift=shift, minutes=minutes, seed=minutes)
        keep_exemplars(draw(rng(minutes), 250, shift=shift), minutes=minutes)
    newest = span("", 10) | {"by": "time", "with": "window", "explain": "yes"}
    text = viewer.get(PAGE, newest | span("against_", 120)).text
    assert "1,000 predictions, " in text
    assert "Drift of " in text
    assert "Texts of the window least like the other side" in text
    assert re.search(r'<span class="bw-text">text \d+</span>', text)
    assert "No traffic in the other window" in viewer.get(PAGE, newest | span("against_", 400)).text


def test_fields_that_were_not_chosen_do_not_count() -> None:
    now = timezone.now()
    every = {"from": "2026-01-01", "to": "2026-01-02", "last": "500", "against_from": "2026-01-01"}
    by_last = read_query(MODEL, every | {"by": "last", "with": "reference"}, [], now=now)
    assert (by_last.last, by_last.window, by_last.against) == (500, None, None)
    by_time = read_query(MODEL, every | {"by": "time", "with": "window"}, [], now=now)
    assert by_time.last is None
    assert by_time.window is not None
    assert by_time.against is not None
    link = read_query(MODEL, {"last": "7"}, ["shape,mmd", "energy"], now=now)
    assert (link.last, link.detectors) == (7, ("shape", "mmd", "energy"))


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"from": "soon"}, "is no ISO 8601 time"),
        ({"by": "last", "last": "999999"}, "must be a whole number"),
        ({"alpha": "2"}, "must be a probability"),
        ({"version": "x"}, "must be a version number"),
        ({"version": "9"}, "has no version 9"),
        ({"detectors": "guess"}, "must name at most"),
        ({"from": "2026-01-01", "to": "2026-12-01"}, "at most 92 days"),
        ({"against_from": "2026-02-02", "against_to": "2026-02-01"}, "must be before"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(value),
)
def test_what_cannot_be_compared_says_why(viewer: Client, query: dict[str, str], told: str) -> None:
    answer = viewer.get(PAGE, query)
    assert answer.status_code == 422
    assert answer.text.count(told) == 1


def test_all_detectors_may_be_asked_at_once(viewer: Client) -> None:
    keep_reference(usual_reference())
    send()
    answer = viewer.get(PAGE, {"detectors": list(catalogue.NAMES), "last": "1000", "by": "last"})
    assert answer.status_code == 200
    assert "on demand" in answer.text
    assert "population stability" in answer.text


def test_the_link_shows_the_same_comparison(viewer: Client) -> None:
    keep_reference(usual_reference())
    send()
    query = {"detectors": ["shape", "lengths"], "alpha": "0.05", "last": "1000", "by": "last"}
    first = viewer.get(PAGE, query).text
    link = re.search(r'href="([^"]+)">Link to just this comparison', first)
    assert link is not None
    again = viewer.get(link[1].replace("&amp;", "&")).text
    statistics = re.findall(r'<td class="bw-number">([\d.]+)</td>', first)
    assert statistics
    assert re.findall(r'<td class="bw-number">([\d.]+)</td>', again)[:3] == statistics[:3]
    assert 'value="0.05"' in again


def test_segments_are_judged_by_themselves(viewer: Client) -> None:
    keep_reference(usual_reference())
    send(shift=0.0, segment="web", seed=1)
    send(shift=0.8, segment="app", seed=2)
    rows = re.findall(r"<tr><td>(web|app)</td>.*?(ok|drift)</span>", viewer.get(PAGE).text, re.S)
    assert dict(rows) == {"web": "ok", "app": "drift"}


def test_recent_evaluations_link_to_their_windows(viewer: Client) -> None:
    keep_reference(usual_reference())
    send()
    evaluate(add_monitor("drift", **BY_COUNT).pk, now=timezone.now())
    text = viewer.get(PAGE).text
    assert "Compare this window" in text
    link = re.search(r'href="([^"]+)">Compare this window', text)
    assert link is not None
    answer = viewer.get(link[1].replace("&amp;", "&"))
    assert "1,000 predictions" in answer.text


def test_looking_keeps_nothing(viewer: Client) -> None:
    keep_reference(usual_reference())
    send()
    viewer.get(PAGE, {"explain": "yes"})
    assert not Evaluation.objects.exists()
    assert not Alert.objects.exists()


def test_the_page_needs_the_scope_read(viewer: Client) -> None:
    viewer.force_login(User.objects.create_user("nobody", is_staff=True))
    assert viewer.get(PAGE).status_code == 403


def test_a_model_that_does_not_exist_is_not_found(viewer: Client) -> None:
    assert viewer.get(reverse("dashboard:drift", args=["acme", "none"])).status_code == 404


def test_the_page_costs_the_same_for_any_traffic(
    viewer: Client, django_assert_max_num_queries: Any
) -> None:
    keep_reference(usual_reference())
    for minutes in range(0, 100, 10):
        send(minutes=minutes)
    viewer.get(PAGE)
    with django_assert_max_num_queries(18):
        assert viewer.get(PAGE).status_code == 200


@pytest.fixture
def sides() -> tuple[Sums, Sums]:
    return sums_of(draw(np.random.default_rng(0), 500)), sums_of(
        draw(np.random.default_rng(1), 300)
    )


def test_shares_add_up_on_either_side(sides: tuple[Sums, Sums]) -> None:
    for each in drift_plots.shares(*sides):
        assert sum(row.window for row in each.rows) == pytest.approx(100)
        assert sum(row.reference for row in each.rows) == pytest.approx(100)


def test_histograms_hold_everything_within_their_box(sides: tuple[Sums, Sums]) -> None:
    found = drift_plots.histograms(*sides)
    assert [each.title for each in found] == ["Confidence", "Length, tokens", "Latency, ms"]
    for each in found:
        assert 1 <= len(each.bars) <= drift_plots.MOST_BARS
        assert all(0 <= bar.y <= each.height and bar.height <= each.height for bar in each.bars)
        assert all(bar.x >= 0 and bar.x + bar.width <= each.width + 1 for bar in each.bars)


def test_what_was_not_measured_is_not_drawn(sides: tuple[Sums, Sums]) -> None:
    assert drift_plots.histograms(nothing(("a",)), sides[1]) == ()
    assert drift_plots.shares(nothing(("a",)), sides[1]) == ()
