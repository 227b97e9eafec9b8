"""The only writer of feedback: what is true of a prediction, and the counts that follow."""

import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from monitoring.counters import Weighed, add, amounts_of, weighed
from monitoring.errors import MonitoringError, PredictionNotFound, UnknownLabel
from monitoring.labelling.answers import load_weights, settle_labelled, weight_of
from monitoring.labelling.drawing import UNIT_WEIGHT
from monitoring.models import ConfusionCell, Feedback, Prediction, Source
from monitoring.recorder import get_local_writer
from monitoring.specs import DEFAULT_SOURCE, FeedbackItem, Outcome
from monitoring.truths import SCORES_TRUTHS, LoadLabels, kept_as, labels_of
from registry import queries

LONGEST_WAIT_S = 2.0
_POLL_S = 0.02
# Rows follow their answers within a second; another replica's clock may be a little off.
_RECENT = timedelta(seconds=10)
_SHOWN_LABELS = 100


def give_feedback(
    items: Sequence[FeedbackItem],
    *,
    key_id: str,
    now: datetime,
    load_labels: LoadLabels = queries.load_labels,
    wait_s: float = LONGEST_WAIT_S,
) -> list[Outcome | MonitoringError]:
    """Say what is true of predictions; one outcome or error for each item, in their order.

    A label that counts already changes nothing, unless a different source is named. Any other
    label becomes the next revision and the only one that counts, whatever its source. Errors are
    PredictionNotFound and UnknownLabel; an item's error leaves the other items alone. A prediction
    answered seconds ago may still be on its way: it is waited for, `wait_s` in all at most.

    Of a task without labels the truth is `right`, kept as the label that was predicted, or `wrong`.

    An audit's label of a prediction that was drawn for one weighs the inverse of the draw's
    probability, and settles the draw. Any other label weighs one.
    """
    ids = {item.prediction_id for item in items}
    _wait_until_kept(ids, now=now, timeout_s=wait_s)
    with transaction.atomic():
        # One lock a prediction, in one order: of two labels at once, the second sees the first.
        locked = Prediction.objects.select_for_update(no_key=True).filter(id__in=ids).order_by("id")
        audited = {item.prediction_id for item in items if item.source == Source.AUDIT}
        ledger = _Ledger(locked, audited, key_id=key_id, now=now, load_labels=load_labels)
        outcomes = [ledger.settle(item) for item in items]
        ledger.save()
    return outcomes


class _Ledger:
    """The labels that count, while one request changes them."""

    def __init__(
        self,
        predictions: Iterable[Prediction],
        audited: Collection[UUID],
        *,
        key_id: str,
        now: datetime,
        load_labels: LoadLabels,
    ) -> None:
        self._predictions = {row.id: row for row in predictions}
        self._counting = _latest(self._predictions)
        self._weights = load_weights(audited)
        self._key_id, self._now, self._load_labels = key_id, now, load_labels
        self._added: list[Feedback] = []
        self._changes: Counter[Weighed] = Counter()

    def settle(self, item: FeedbackItem) -> Outcome | MonitoringError:
        prediction = self._predictions.get(item.prediction_id)
        if prediction is None:
            return PredictionNotFound(
                f"No prediction {item.prediction_id} is kept: ids come with predictions and are "
                "forgotten after the retention time.",
                details={"prediction_id": str(item.prediction_id)},
            )
        allowed = labels_of(prediction, load_labels=self._load_labels)
        if error := _label_error(item, prediction, allowed):
            return error
        item = replace(item, correct_label=kept_as(prediction, item.correct_label))
        old = self._counting.get(prediction.id)
        if old is None:
            return _outcome("recorded", prediction, self._revise(prediction, item))
        if old.label == item.correct_label and item.source in (None, old.source):
            return _outcome("unchanged", prediction, old)
        return _outcome("revised", prediction, self._revise(prediction, item))

    def save(self) -> None:
        Feedback.objects.bulk_create(self._added)
        add(ConfusionCell, amounts_of(self._changes))
        settle_labelled(
            [row.prediction_id for row in self._added if row.source == Source.AUDIT], now=self._now
        )

    def _revise(self, prediction: Prediction, item: FeedbackItem) -> Feedback:
        old = self._counting.get(prediction.id)
        source = item.source or DEFAULT_SOURCE
        is_audit = source == Source.AUDIT
        new = Feedback(
            prediction=prediction,
            revision=old.revision + 1 if old else 1,
            label=item.correct_label,
            source=source,
            weight=weight_of(self._weights, prediction.id) if is_audit else UNIT_WEIGHT,
            at=self._now,
            key_id=self._key_id,
        )
        if old:
            self._changes.subtract(weighed(prediction, old))
        self._changes.update(weighed(prediction, new))
        self._counting[prediction.id] = new
        self._added.append(new)
        return new


def check_label(
    prediction: Prediction, label: str, *, load_labels: LoadLabels = queries.load_labels
) -> None:
    """Raise UnknownLabel for what no feedback on `prediction` may say."""
    item = FeedbackItem(prediction.id, label, None)
    if error := _label_error(item, prediction, labels_of(prediction, load_labels=load_labels)):
        raise error


def _latest(ids: Collection[UUID]) -> dict[UUID, Feedback]:
    rows = Feedback.objects.filter(prediction_id__in=list(ids)).order_by("revision")
    return {row.prediction_id: row for row in rows}


def _label_error(
    item: FeedbackItem, prediction: Prediction, allowed: tuple[str, ...]
) -> UnknownLabel | None:
    if item.correct_label in allowed:
        return None
    details = {
        "field": "correct_label",
        "prediction_id": str(item.prediction_id),
        "allowed": list(allowed[:_SHOWN_LABELS]),
    }
    if prediction.task not in SCORES_TRUTHS:
        return UnknownLabel(
            f"'correct_label' must be 'right' or 'wrong': a {prediction.task} answer is no label, "
            "so compare it yourself and say whether the whole of it is right.",
            details=details,
        )
    folded = item.correct_label.casefold().strip()
    meant = [label for label in allowed if label.casefold() == folded]
    hint = f"did you mean {meant[0]!r}?" if len(meant) == 1 else "use one of the allowed labels."
    return UnknownLabel(
        f"{item.correct_label[:80]!r} is no label of the version that predicted: {hint}",
        details=details,
    )


def _outcome(status: str, prediction: Prediction, feedback: Feedback) -> Outcome:
    return Outcome(
        status=status,
        prediction_id=prediction.id,
        predicted_label=prediction.label,
        correct_label=feedback.label,
        source=feedback.source,
        revision=feedback.revision,
        at=feedback.at,
    )


def _wait_until_kept(ids: Collection[UUID], *, now: datetime, timeout_s: float) -> None:
    missing = _missing(ids)
    if not missing:
        return
    deadline = time.monotonic() + timeout_s
    if writer := get_local_writer():
        # Also right after an outage, when older predictions are still in the journal.
        writer.wait_caught_up(timeout_s)
        missing = _missing(missing)
    while any(_is_recent(id, now) for id in missing) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        missing = _missing(missing)


def _missing(ids: Collection[UUID]) -> set[UUID]:
    kept = Prediction.objects.filter(id__in=list(ids)).values_list("id", flat=True)
    return set(ids) - set(kept)


def _is_recent(id: UUID, now: datetime) -> bool:
    # The first 48 bits of a uuid7 are milliseconds since the epoch.
    return (
        id.version == 7 and abs((id.int >> 80) / 1000 - now.timestamp()) < _RECENT.total_seconds()
    )
