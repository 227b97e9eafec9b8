"""Prometheus metrics of the inference plane. Names and labels are documented in
docs/reference/metrics.md.
"""

import logging
from collections.abc import Mapping, Sequence
from functools import cache

from prometheus_client import Counter, Gauge, Histogram

from inference.tasks.ports import Decoded
from registry.specs import VersionSpec

log = logging.getLogger(__name__)

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
# More labels than this would make a time series each.
_MAX_LABELS = 64

_CALLERS_LABELS = frozenset({"zero-shot-classification"})

REQUESTS = Counter(
    "bellwether_requests", "Requests by route, method and status.", ["route", "method", "status"]
)
REQUEST_SECONDS = Histogram(
    "bellwether_request_seconds", "Whole requests by route.", ["route"], buckets=_SECONDS
)
STAGE_SECONDS = Histogram(
    "bellwether_stage_seconds",
    "Predict requests by stage: tokenize, queue, inference, total.",
    ["stage"],
    buckets=_SECONDS,
)
PREDICTIONS = Counter(
    "bellwether_predictions", "Answers by model, version and label.", ["model", "version", "label"]
)
BATCH_SIZE = Histogram(
    "bellwether_batch_size", "Texts in a forward pass.", buckets=(1, 2, 4, 8, 16, 32, 64, 128)
)
CACHED = Counter(
    "bellwether_predictions_cached",
    "Predictions for which nothing was computed: somebody had asked the same.",
    ["model", "version"],
)
TOKENS = Counter("bellwether_tokens", "Tokens computed: real ones and padding.", ["kind"])
REFUSED = Counter(
    "bellwether_refused", "Requests that the engine refused or gave up, by error code.", ["code"]
)
ABANDONED = Counter(
    "bellwether_abandoned", "Texts dropped before batching because their client had gone."
)
DROPPED = Counter(
    "bellwether_predictions_dropped", "Answers that could not be recorded; 0 is healthy."
)
QUEUE_DEPTH = Gauge("bellwether_queue_depth", "Texts that wait for a forward pass.")
QUEUE_TOKENS = Gauge("bellwether_queue_tokens", "Tokens that wait for a forward pass.")
RECORDER_LAG = Gauge(
    "bellwether_recorder_lag_seconds", "Age of the oldest journal record not yet in the database."
)
JOURNAL_CORRUPT = Gauge(
    "bellwether_journal_corrupt", "Journal records set aside because they cannot be read or stored."
)
SHADOW_COMPARED = Counter(
    "bellwether_shadow_compared",
    "Copies that a shadow version answered, by outcome: agreed, flipped, failed.",
    ["model", "version", "outcome"],
)
SHADOW_DROPPED = Counter(
    "bellwether_shadow_dropped",
    "Copies that taught nothing, by reason: full, off, unrouted, unrecorded.",
    ["model", "version", "reason"],
)
SHADOW_OFF = Gauge(
    "bellwether_shadow_off",
    "1 for a shadow version that gets no more copies until its model is routed anew.",
    ["model", "version"],
)
VERSION_INFO = Gauge(
    "bellwether_version_info", "1 for each version that is served.", ["model", "version", "digest"]
)
ASLEEP = Gauge("bellwether_models_asleep", "Models that are loaded when somebody asks them.")
UNLOADED = Counter(
    "bellwether_models_unloaded", "How often a model made room, or was unloaded.", ["model"]
)
READY = Gauge("bellwether_ready", "1 while this process answers /health/ready with 200.")


class EngineObserver:
    """Counts what the engine does."""

    def batch_done(self, n: int, padded_tokens: int, real_tokens: int, inference_s: float) -> None:
        BATCH_SIZE.observe(n)
        _real().inc(real_tokens)
        _padding().inc(padded_tokens - real_tokens)

    def refused(self, code: str) -> None:
        REFUSED.labels(code).inc()

    def abandoned(self, n: int) -> None:
        ABANDONED.inc(n)


@cache
def _real() -> Counter:
    return TOKENS.labels("real")


@cache
def _padding() -> Counter:
    return TOKENS.labels("padding")


@cache
def _stage(name: str) -> Histogram:
    return STAGE_SECONDS.labels(name)


@cache
def _predictions(model: str, version: int, label: str) -> Counter:
    return PREDICTIONS.labels(model, version, label)


def observe_answer(
    spec: VersionSpec,
    decoded: Sequence[Decoded],
    stages_s: Mapping[str, float],
    *,
    n_cached: int = 0,
) -> None:
    """Count one answered request: the seconds of its stages, and a prediction for each label.

    Where callers name the labels, or there are very many, all are "other".
    """
    if n_cached:
        CACHED.labels(spec.model, spec.number).inc(n_cached)
    for stage, seconds in stages_s.items():
        _stage(stage).observe(seconds)
    for answer in decoded:
        is_bounded = len(spec.labels) <= _MAX_LABELS and spec.task not in _CALLERS_LABELS
        label = answer.label if is_bounded else "other"
        _predictions(spec.model, spec.number, label).inc()


def recording_failed(n: int) -> None:
    """Count `n` answers that went out unrecorded, and say so in the log."""
    DROPPED.inc(n)
    log.exception("cannot record %d predictions; their answers go out without ids", n)


def show_versions(specs: Sequence[VersionSpec]) -> None:
    """Make `bellwether_version_info` list exactly `specs`."""
    VERSION_INFO.clear()
    for spec in specs:
        VERSION_INFO.labels(spec.model, spec.number, spec.digest).set(1)
