"""Time lines as they go out. The schema is described here; the numbers, thousands of them, are
written without it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from django.urls import NoReverseMatch, reverse
from rest_framework import serializers

from monitoring.api.serializers.common import show_time
from monitoring.quality.report import Estimate
from monitoring.timelines.evaluated import METHOD
from monitoring.timelines.specs import (
    DriftLine,
    Mark,
    QualityLine,
    Timeline,
    by_version,
    labels_of,
)

METRIC = "macro_f1"
_RATE_DIGITS, _MS_DIGITS = 6, 3


def _numbers(help_text: str) -> Any:
    return serializers.ListField(
        child=serializers.FloatField(allow_null=True), help_text=f"{help_text} One a step."
    )


def _counts(help_text: str) -> Any:
    return serializers.ListField(
        child=serializers.IntegerField(allow_null=True), help_text=f"{help_text} One a step."
    )


class TrafficLineSerializer(serializers.Serializer[Any]):
    n = _counts("Answered texts; null in the future.")
    failed = _counts("Failed requests; null for one segment, since failures have none.")
    by_version = serializers.DictField(
        child=serializers.ListField(child=serializers.IntegerField(allow_null=True))
    )


class LatencyLineSerializer(serializers.Serializer[Any]):
    p50 = _numbers("Milliseconds.")
    p95 = _numbers("Milliseconds.")
    p99 = _numbers("Milliseconds.")


class ConfidenceLineSerializer(serializers.Serializer[Any]):
    p10 = _numbers("Score of the predicted label.")
    p50 = _numbers("Score of the predicted label.")
    p90 = _numbers("Score of the predicted label.")


class EstimateLineSerializer(serializers.Serializer[Any]):
    value = _numbers("")
    low = _numbers("Lower 95 % bound.")
    high = _numbers("Upper 95 % bound.")


class QualityLineSerializer(EstimateLineSerializer):
    n = _counts("Labels.")


class BaselineSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    value = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    reference = serializers.IntegerField()


class QualityLinesSerializer(serializers.Serializer[Any]):
    metric = serializers.ChoiceField(choices=[METRIC])
    by_version = serializers.DictField(child=QualityLineSerializer())
    baseline = BaselineSerializer(
        allow_null=True, help_text="By the labels of the active reference, where it has some."
    )


class LabelFreeSerializer(EstimateLineSerializer):
    method = serializers.ChoiceField(choices=[METHOD])


class DriftLineSerializer(serializers.Serializer[Any]):
    """One family of detectors at one monitor; at most 300 points, the worst of each stretch."""

    name = serializers.CharField(help_text="The monitor.")
    detector = serializers.CharField(allow_null=True, help_text="Which decided last.")
    family = serializers.CharField()
    times = serializers.ListField(child=serializers.FloatField(), help_text="Of its own points.")
    value = serializers.ListField(
        child=serializers.FloatField(allow_null=True), help_text="Size of the effect, AUC-like."
    )
    threshold = serializers.ListField(
        child=serializers.FloatField(), help_text="The smallest effect that counts."
    )
    p_value = serializers.ListField(child=serializers.FloatField(allow_null=True))
    alpha = serializers.ListField(
        child=serializers.FloatField(allow_null=True), help_text="What `p_value` is compared with."
    )
    detectors = serializers.ListField(child=serializers.CharField(allow_null=True))
    verdict = serializers.ListField(child=serializers.CharField())


class MarkSerializer(serializers.Serializer[Any]):
    at = serializers.FloatField()
    kind = serializers.CharField()
    title = serializers.CharField()
    url = serializers.CharField(allow_null=True)


class TimelineSerializer(serializers.Serializer[Any]):
    """Lists have one entry a step, null where there is nothing. Times are seconds since 1970."""

    model = serializers.CharField()
    version = serializers.IntegerField(allow_null=True)
    segment = serializers.CharField(allow_null=True)
    step_s = serializers.IntegerField()
    times = serializers.ListField(
        child=serializers.IntegerField(), help_text="When each of the at most 200 steps begins."
    )
    traffic = TrafficLineSerializer()
    latency_ms = LatencyLineSerializer()
    labels = serializers.DictField(
        child=serializers.ListField(child=serializers.IntegerField(allow_null=True)),
        help_text="Answered texts by label; beyond 12 labels the rest is under `other labels`.",
    )
    confidence = ConfidenceLineSerializer()
    quality = QualityLinesSerializer()
    estimates = LabelFreeSerializer(
        allow_null=True, help_text="Accuracy as the model's own confidence has it, without labels."
    )
    drift = DriftLineSerializer(many=True)
    marks = MarkSerializer(many=True)

    def get_fields(self) -> dict[str, Any]:
        # "from" cannot be an attribute.
        ends = {"from": serializers.DateTimeField(), "to": serializers.DateTimeField()}
        return ends | super().get_fields()


def show_timeline(timeline: Timeline) -> dict[str, Any]:
    """`timeline` as JSON."""
    steps, tally, shapes, n = timeline.steps, timeline.tally, timeline.shapes, timeline.n_begun
    versions = by_version(tally)
    total = np.sum([*versions.values(), np.zeros(steps.n, np.int64)], axis=0)
    latency, confidence = _rates(shapes.latency_s * 1000, _MS_DIGITS), _rates(shapes.confidence)
    return {
        "model": timeline.scope.model,
        "version": timeline.scope.version,
        "segment": timeline.scope.segment,
        "from": show_time(steps.window.start),
        "to": show_time(steps.window.end),
        "step_s": steps.step_s,
        "times": steps.times,
        "traffic": {
            "n": _begun(total, n),
            "failed": [None] * steps.n if tally.failed is None else _begun(tally.failed, n),
            "by_version": {str(key): _begun(counts, n) for key, counts in versions.items()},
        },
        "latency_ms": dict(zip(("p50", "p95", "p99"), latency, strict=True)),
        "labels": {label: _begun(counts, n) for label, counts in labels_of(tally, steps.n).items()},
        "confidence": dict(zip(("p10", "p50", "p90"), confidence, strict=True)),
        "quality": {
            "metric": METRIC,
            "by_version": {str(key): _quality(line) for key, line in timeline.quality.items()},
            "baseline": _baseline(timeline),
        },
        "estimates": None
        if timeline.estimates is None
        else {"method": METHOD} | _estimates(timeline.estimates),
        "drift": list(map(_drift, timeline.drift)),
        "marks": list(map(_mark, timeline.marks)),
    }


def _begun(counts: npt.NDArray[np.int64], n_begun: int) -> list[int | None]:
    return [*counts[:n_begun].tolist(), *[None] * (len(counts) - n_begun)]


def _rates(rows: npt.NDArray[np.float64], digits: int = _RATE_DIGITS) -> list[list[float | None]]:
    return [
        [None if value != value else value for value in row]
        for row in np.round(rows, digits).tolist()
    ]


def _estimates(estimates: Sequence[Estimate]) -> dict[str, Any]:
    return {
        "value": _rounded(each.value for each in estimates),
        "low": _rounded(each.low for each in estimates),
        "high": _rounded(each.high for each in estimates),
    }


def _rounded(values: Iterable[float | None]) -> list[float | None]:
    return [None if value is None else round(value, _RATE_DIGITS) for value in values]


def _quality(line: QualityLine) -> dict[str, Any]:
    return _estimates(line.estimates) | {"n": list(line.n)}


def _baseline(timeline: Timeline) -> dict[str, Any] | None:
    found = timeline.baseline
    if found is None:
        return None
    value, low, high = _rounded([found.macro_f1.value, found.macro_f1.low, found.macro_f1.high])
    return {
        "version": found.version,
        "value": value,
        "low": low,
        "high": high,
        "reference": found.reference,
    }


def _drift(line: DriftLine) -> dict[str, Any]:
    points = line.points
    return {
        "name": line.monitor,
        "detector": points[-1].detector,
        "family": line.family,
        "times": [_seconds(point.at) for point in points],
        "value": [point.effect for point in points],
        "threshold": [line.floor] * len(points),
        "p_value": [point.p_value for point in points],
        "alpha": [point.alpha for point in points],
        "detectors": [point.detector for point in points],
        "verdict": [point.verdict for point in points],
    }


def _mark(mark: Mark) -> dict[str, Any]:
    return {
        "at": _seconds(mark.at),
        "kind": mark.kind,
        "title": mark.title,
        "url": _alert_url(mark),
    }


def _alert_url(mark: Mark) -> str | None:
    if mark.alert is None:
        return None
    try:
        return reverse("dashboard:alert", args=[mark.alert])
    except NoReverseMatch:
        # The API may be served without the dashboard.
        return None


def _seconds(at: datetime) -> float:
    return round(at.timestamp(), 3)
