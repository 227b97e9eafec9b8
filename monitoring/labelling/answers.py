"""What becomes of a prediction that was asked about: a label, or somebody who passes."""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from monitoring.errors import AuditItemNotFound
from monitoring.labelling.drawing import UNIT_WEIGHT, weight
from monitoring.models import AuditItem, AuditState


def load_weights(ids: Collection[UUID]) -> Mapping[UUID, int]:
    """What an audit's label of each prediction weighs, in thousandths, where it was drawn.

    Also of one that expired or was skipped: it was drawn with the same probability.
    """
    if not ids:
        return {}
    drawn = AuditItem.objects.filter(pk__in=list(ids)).values_list("pk", "probability")
    return {id: weight(probability) for id, probability in drawn}


def weight_of(weights: Mapping[UUID, int], id: UUID) -> int:
    """The weight of an audit's label; one that nobody asked for speaks for itself alone."""
    return weights.get(id, UNIT_WEIGHT)


def settle_labelled(ids: Collection[UUID], *, now: datetime) -> None:
    """Take labelled predictions off the queue, in the caller's transaction."""
    if ids:
        asked = AuditItem.objects.filter(pk__in=list(ids)).exclude(state=AuditState.LABELLED)
        asked.update(state=AuditState.LABELLED, settled_at=now)


def skip(id: UUID, *, now: datetime) -> None:
    """Take a prediction off the queue without a label. Raises AuditItemNotFound.

    Skipping what is hard makes the rest look better than it is: it is for what nobody can label.
    """
    asked = AuditItem.objects.filter(pk=id)
    if asked.filter(state=AuditState.OPEN).update(state=AuditState.SKIPPED, settled_at=now):
        return
    state = asked.values_list("state", flat=True).first()
    if state != AuditState.SKIPPED:
        why = "no label of it was asked for" if state is None else f"it is {state} already"
        raise AuditItemNotFound(
            f"Prediction {id} is not open in the queue: {why}.",
            details={"prediction_id": str(id)},
        )
