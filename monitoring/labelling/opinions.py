"""What people say of drawn predictions: first opinions count, second ones measure agreement.

Every label given in the queue is kept as its giver's opinion. The first is feedback too, an
audit's, weighed by the draw. Of a share of the labelled items somebody else is asked for his
opinion, without knowing the first; where the two differ, a third person settles what counts.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from monitoring.errors import AuditItemNotFound, MonitoringError
from monitoring.labelling.answers import skip
from monitoring.models import AuditItem, AuditState, Opinion, Prediction, Second, Source
from monitoring.services import check_label, give_feedback
from monitoring.specs import FeedbackItem
from monitoring.truths import LoadLabels, labels_of
from registry import queries as registry

SECOND_OPINION = "second_opinion"
_DISAGREEMENTS, _MOST_PAIRS = 50, 2000
_PERSON = b"second opinion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What came of a label: `status` is recorded, revised, unchanged or second_opinion."""

    prediction_id: UUID
    label: str
    status: str
    predicted_label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """Two opinions of one text, in the order in which they were given."""

    prediction_id: UUID
    at: datetime
    text: str | None
    first: tuple[str, str]
    second: tuple[str, str]
    predicted_label: str
    version: int
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two people, in the order in which they spoke, and what each said of one text."""

    first_labeller: str
    second_labeller: str
    first: str
    second: str


def is_second_wanted(id: UUID, percent: int) -> bool:
    """Whether a labelled item is asked about again: `percent` of all ids, always the same ones.

    >>> is_second_wanted(UUID(int=1), 0), is_second_wanted(UUID(int=1), 100)
    (False, True)
    """
    digest = hashlib.blake2b(id.bytes, digest_size=8, person=_PERSON).digest()
    return int.from_bytes(digest, "big") % 100 < percent


@transaction.atomic
def give_opinion(
    id: UUID,
    label: str,
    *,
    labeller: str,
    now: datetime,
    load_labels: LoadLabels = registry.load_labels,
) -> Given:
    """Keep what `labeller` says of a drawn prediction; his earlier opinion of it is replaced.

    It becomes feedback if nobody else gave his before. Raises AuditItemNotFound for what was not
    drawn, and UnknownLabel.
    """
    item = _locked(id)
    opinions = list(item.prediction.opinions.order_by("id"))
    own = next((each for each in opinions if each.labeller == labeller), None)
    is_first = not opinions or opinions[0] is own
    if is_first and item.second != Second.SETTLED:
        status = _count(item, label, labeller, now, load_labels)
    else:
        check_label(item.prediction, label, load_labels=load_labels)
        status = SECOND_OPINION
    _keep_opinion(item.prediction, label, labeller, own, now)
    _look_again(item)
    return Given(
        prediction_id=id, label=label, status=status, predicted_label=item.prediction.label
    )


def pass_over(id: UUID, *, labeller: str, now: datetime) -> None:
    """Take an item off the queue without a label; of a second opinion nobody is asked again.

    Raises AuditItemNotFound.
    """
    asked = AuditItem.objects.filter(pk=id, state=AuditState.LABELLED, second=Second.WANTED)
    others = Opinion.objects.filter(prediction=id).exclude(labeller=labeller)
    if others.exists() and asked.update(second=Second.NONE, holder="", held_until=None):
        return
    skip(id, now=now)


@transaction.atomic
def settle(
    id: UUID,
    label: str,
    *,
    settler: str,
    now: datetime,
    load_labels: LoadLabels = registry.load_labels,
) -> Given:
    """Say which label counts where two people differed. Raises AuditItemNotFound, UnknownLabel."""
    item = _locked(id)
    if item.second not in (Second.DISAGREED, Second.SETTLED):
        raise _not_found(id, "no two people disagree about it")
    status = _count(item, label, settler, now, load_labels)
    item.second = Second.SETTLED
    item.save(update_fields=["second"])
    return Given(
        prediction_id=id, label=label, status=status, predicted_label=item.prediction.label
    )


def load_disagreements(model: str) -> tuple[Disagreement, ...]:
    """What two people called differently and nobody has settled, newest first; at most 50."""
    rows = AuditItem.objects.filter(model=model, second=Second.DISAGREED).order_by("-at")
    found = []
    for row in rows.select_related("prediction").prefetch_related("prediction__opinions")[
        :_DISAGREEMENTS
    ]:
        predicted = row.prediction
        first, second = sorted(predicted.opinions.all(), key=lambda each: each.id)[:2]
        found.append(
            Disagreement(
                prediction_id=predicted.id,
                at=predicted.at,
                text=predicted.text,
                first=(first.labeller, first.label),
                second=(second.labeller, second.label),
                predicted_label=predicted.label,
                version=predicted.version,
                labels=labels_of(predicted),
            )
        )
    return tuple(found)


def load_pairs(model: str) -> tuple[Pair, ...]:
    """What two people said of the same texts, each without knowing the other; the newest 2,000."""
    return load_all_pairs(AuditItem.objects.filter(model=model)).get(model, ())


def load_all_pairs(items: QuerySet[AuditItem] | None = None) -> dict[str, tuple[Pair, ...]]:
    """`load_pairs` by model, of the newest 2,000 items of all that two people labelled."""
    both = (AuditItem.objects.all() if items is None else items).filter(
        second__in=(Second.AGREED, Second.DISAGREED, Second.SETTLED)
    )
    models = dict(both.order_by("-at").values_list("pk", "model")[:_MOST_PAIRS])
    opinions: dict[UUID, list[Opinion]] = {}
    for row in Opinion.objects.filter(prediction__in=list(models)).order_by("id"):
        opinions.setdefault(row.prediction_id, []).append(row)
    found: dict[str, list[Pair]] = {}
    for id, rows in opinions.items():
        if len(rows) > 1:
            pair = Pair(rows[0].labeller, rows[1].labeller, rows[0].label, rows[1].label)
            found.setdefault(models[id], []).append(pair)
    return {model: tuple(pairs) for model, pairs in found.items()}


def count_given(labeller: str, *, since: datetime) -> int:
    """How many labels `labeller` has given in queues since then."""
    return Opinion.objects.filter(labeller=labeller, at__gte=since).count()


def _locked(id: UUID) -> AuditItem:
    # The prediction's lock first, as everybody who gives feedback takes it.
    Prediction.objects.select_for_update(no_key=True).filter(pk=id).values_list("pk").first()
    item = AuditItem.objects.select_related("prediction").filter(pk=id).first()
    if item is None:
        raise _not_found(id, "no label of it was asked for")
    return item


def _count(item: AuditItem, label: str, who: str, now: datetime, load_labels: LoadLabels) -> str:
    said = FeedbackItem(item.pk, label, Source.AUDIT.value)
    [outcome] = give_feedback([said], key_id=who, now=now, load_labels=load_labels, wait_s=0)
    if isinstance(outcome, MonitoringError):
        raise outcome
    return outcome.status


def _keep_opinion(
    prediction: Prediction, label: str, labeller: str, own: Opinion | None, now: datetime
) -> None:
    if own is None:
        Opinion.objects.create(prediction=prediction, labeller=labeller, label=label, at=now)
    elif own.label != label:
        Opinion.objects.filter(pk=own.pk).update(label=label)


def _look_again(item: AuditItem) -> None:
    """Say what the opinions come to, and let the item go."""
    labels = [each.label for each in item.prediction.opinions.order_by("id")[:2]]
    second = Second(item.second)
    if second is not Second.SETTLED:
        if len(labels) > 1:
            second = Second.AGREED if labels[0] == labels[1] else Second.DISAGREED
        elif is_second_wanted(item.pk, settings.BELLWETHER_SECOND_OPINIONS):
            second = Second.WANTED
    AuditItem.objects.filter(pk=item.pk).update(second=second, holder="", held_until=None)


def _not_found(id: UUID, why: str) -> AuditItemNotFound:
    return AuditItemNotFound(
        f"Prediction {id} is not in the queue: {why}.", details={"prediction_id": str(id)}
    )
