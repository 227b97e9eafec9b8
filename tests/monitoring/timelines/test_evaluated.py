"""Drift and estimates over time, as monitors found them, and the marks between them."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from monitoring.api import params
from monitoring.api.serializers.timelines import show_timeline
from monitoring.models import Alert, Evaluation, Monitor, Transition
from monitoring.quality.metrics import matrix
from monitoring.quality.report import judge
from monitoring.timelines.loading import load_timeline
from registry.models import RegisteredModel
from registry.specs import EventKind
from tests.monitoring.builders import MODEL, NOW, register
from tests.monitoring.evaluating.builders import (
    add_monitor,
    go_live,
    keep_reference,
    usual_reference,
)
from tests.registry.events import append_event

pytestmark = pytest.mark.django_db
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def _live() -> None:
    go_live(1, at=NOW - 400 * DAY)


def read(**query: str) -> dict[str, Any]:
    scope = params.parse_timeline(MODEL, query, now=NOW)
    return show_timeline(load_timeline(scope, now=NOW))


def family(p_value: float | None, verdict: str = "OK", **changes: Any) -> dict[str, Any]:
    said = {"verdict": verdict, "p_value": p_value, "alpha": 1e-4, "detector": "shape"}
    return said | {"effect": 0.52} | changes


def drift(monitor: Monitor, at: datetime, verdict: str = "OK", **families: Any) -> Evaluation:
    return Evaluation.objects.create(
        monitor=monitor,
        model=MODEL,
        version=1,
        kind=monitor.kind,
        at=at,
        verdict=verdict,
        details={"families": families},
    )


def test_each_family_of_each_monitor_is_a_line() -> None:
    first = add_monitor("drift", name="daily")
    second = add_monitor("drift", name="blocks", options={"floor": 0.6})
    at = NOW - HOUR
    drift(first, at - MINUTE, inputs=family(0.3), outputs=family(None, detector=None, effect=None))
    drift(
        first,
        at,
        "DRIFT",
        inputs=family(1e-9, "DRIFT", detector="mmd", effect=0.8),
        outputs=family(0.2),
    )
    drift(second, at, inputs=family(0.7))
    found = read()["drift"]
    assert [(line["name"], line["family"]) for line in found] == [
        ("blocks", "inputs"),
        ("daily", "inputs"),
        ("daily", "outputs"),
    ]
    assert found[1] == {
        "name": "daily",
        "detector": "mmd",
        "family": "inputs",
        "times": [(at - MINUTE).timestamp(), at.timestamp()],
        "value": [0.52, 0.8],
        "threshold": [0.55, 0.55],
        "p_value": [0.3, 1e-9],
        "alpha": [1e-4, 1e-4],
        "detectors": ["shape", "mmd"],
        "verdict": ["OK", "DRIFT"],
    }
    assert found[0]["threshold"] == [0.6]
    assert found[2]["value"] == [None, 0.52]


def test_of_very_many_evaluations_the_bad_ones_stay() -> None:
    monitor = add_monitor("drift")
    bad = {137, 555, 556, 1200}
    Evaluation.objects.bulk_create(
        Evaluation(
            monitor=monitor,
            model=MODEL,
            version=1,
            kind="drift",
            at=NOW - DAY + i * MINUTE,
            verdict="DRIFT" if i in bad else "OK",
            details={"families": {"inputs": family(0.5, "DRIFT" if i in bad else "OK")}},
        )
        for i in range(1440)
    )
    (line,) = read(**{"from": (NOW - DAY).isoformat()})["drift"]
    assert 250 < len(line["times"]) <= 300
    assert line["times"] == sorted(line["times"])
    told = [time for time, v in zip(line["times"], line["verdict"], strict=True) if v == "DRIFT"]
    # 555 and 556 are of one stretch.
    assert told == [(NOW - DAY + i * MINUTE).timestamp() for i in (137, 556, 1200)]


def test_evaluations_of_other_models_versions_times_and_segments_are_left_out() -> None:
    monitor = add_monitor("drift")
    at = NOW - HOUR
    drift(monitor, NOW - 2 * DAY, inputs=family(0.1))
    Evaluation.objects.create(model=MODEL, version=1, kind="drift", at=at, verdict="OK")
    row = drift(monitor, at, inputs=family(0.2))
    Evaluation.objects.filter(pk=row.pk).update(version=2)
    register(number=2)
    assert read(version="1")["drift"] == []
    assert read(segment="web")["drift"] == []
    assert len(read(version="2")["drift"][0]["times"]) == len(read()["drift"][0]["times"]) == 1


def estimate(monitor: Monitor, at: datetime, value: float | None, **changes: Any) -> None:
    said = {"cbpe": [value - 0.1, value, value + 0.05]} if value is not None else {}
    fields = {"verdict": "OK", "version": 1, "details": {"accuracy": said}} | changes
    Evaluation.objects.create(monitor=monitor, model=MODEL, kind="estimate", at=at, **fields)


def test_each_step_has_its_last_estimate() -> None:
    monitor = add_monitor("estimate")
    begin = NOW - HOUR
    estimate(monitor, begin + MINUTE, 0.7)
    estimate(monitor, begin + 2 * MINUTE, 0.8)
    estimate(monitor, begin + 3 * MINUTE, None, verdict="INSUFFICIENT_DATA")
    estimate(monitor, begin + 20 * MINUTE, 0.6, version=2)
    shown = read()
    place = shown["times"].index(int(begin.timestamp()))
    assert shown["estimates"]["method"] == "cbpe"
    assert shown["estimates"]["value"][place : place + 3] == [0.8, None, None]
    assert shown["estimates"]["low"][place] == pytest.approx(0.7)
    assert shown["estimates"]["high"][place] == pytest.approx(0.85)
    register(number=2)
    assert [v for v in read(version="2")["estimates"]["value"] if v is not None] == [0.6]
    assert read(segment="web")["estimates"] is None


def test_the_baseline_is_what_the_references_labels_show() -> None:
    reference = usual_reference()
    keep_reference(reference)
    labels, cells = reference.sums.labels, reference.confusion
    pairs = {
        (labels[i], labels[j]): int(cells[i, j]) for i, j in np.ndindex(cells.shape) if cells[i, j]
    }
    expected = judge(matrix(pairs)).macro.f1
    found = read()["quality"]["baseline"]
    assert found == {
        "version": 1,
        "value": pytest.approx(expected.value, abs=1e-6),
        "low": pytest.approx(expected.low, abs=1e-6),
        "high": pytest.approx(expected.high, abs=1e-6),
        "reference": found["reference"],
    }
    register(number=2)
    assert read(version="2")["quality"]["baseline"] is None


def happened(kind: EventKind, at: datetime, number: int | None, **changes: Any) -> None:
    row = RegisteredModel.objects.get(name="mood")
    fields = {"actor": "eve", "number": number} | changes
    append_event(at=at, model=row, model_name=MODEL, kind=kind, **fields)


def fire(at: datetime, version: int = 1) -> Alert:
    alert = Alert.objects.create(
        model=MODEL,
        version=version,
        kind="drift",
        state="resolved",
        severity="warning",
        summary="",
        opened_at=at - MINUTE,
        seen_at=at,
    )
    changes = [("inactive", "pending"), ("pending", "firing"), ("firing", "firing")]
    for i, (before, after) in enumerate([*changes, ("firing", "resolved")]):
        Transition.objects.create(
            alert=alert,
            at=at + i * MINUTE,
            from_state=before,
            to_state=after,
            severity="warning",
        )
    return alert


def test_what_happened_is_marked_in_order() -> None:
    at = NOW - 3 * HOUR
    happened(EventKind.PROMOTED, at, 2)
    happened(EventKind.VERIFIED, at, 2)
    alert = fire(at + 10 * MINUTE)
    happened(EventKind.ROLLED_BACK, at + HOUR, None, to_number=1)
    happened(EventKind.ROUTED, at + 2 * HOUR, None, actor="rollout")
    happened(EventKind.REBASELINED, at + 2 * HOUR + MINUTE, 1)
    shown = read()
    assert [(mark["kind"], mark["title"]) for mark in shown["marks"]] == [
        ("promoted", "version 2 promoted by eve"),
        ("alert_firing", "warning alert of drift at version 1"),
        ("alert_resolved", "alert of drift at version 1 resolved"),
        ("rolled_back", "version 1 taken back to by eve"),
        ("routed", "routes changed by rollout"),
        ("rebaselined", "version 1 given a new reference by eve"),
    ]
    assert shown["marks"][0] == {
        "at": at.timestamp(),
        "kind": "promoted",
        "title": "version 2 promoted by eve",
        "url": None,
    }
    assert shown["marks"][1]["url"] == f"/admin/alerts/{alert.pk}/"
    assert shown["marks"][1]["at"] == (at + 11 * MINUTE).timestamp()


def test_of_one_version_only_its_own_alerts_are_marked() -> None:
    register(number=2)
    happened(EventKind.PROMOTED, NOW - HOUR, 2)
    fire(NOW - 2 * HOUR, version=1)
    kinds = [mark["kind"] for mark in read(version="2")["marks"]]
    assert kinds == ["promoted"]


def test_of_very_many_marks_the_newest_are_kept() -> None:
    for i in range(210):
        happened(EventKind.ROUTED, NOW - HOUR + i * timedelta(seconds=1), None, actor=f"a{i}")
    marks = read()["marks"]
    assert len(marks) == 200
    assert marks[-1]["title"] == "routes changed by a209"
