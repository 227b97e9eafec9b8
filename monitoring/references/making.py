"""Answers become a reference: fitted outside, then written, activated and audited in one
transaction.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt
from django.conf import settings
from django.db import transaction

from access.errors import BellwetherError
from inference.records import PredictionRecord
from monitoring.drift import basis as bases
from monitoring.drift.basis import Basis
from monitoring.drift.reference import KEPT_ROWS, Reference, encode, fit, without_texts
from monitoring.drift.sample import Sample
from monitoring.drift.sums import Sums
from monitoring.errors import InvalidReference
from monitoring.models import Basis as BasisRow
from monitoring.models import Reference as Row
from monitoring.models import ReferenceChunk, ReferenceState
from monitoring.references import work
from monitoring.references.samples import with_truth, without_seconds
from monitoring.references.summaries import summarise
from monitoring.traffic import languages
from monitoring.traffic.sampling import sample_of
from registry.services import note_event
from registry.specs import EventKind

log = logging.getLogger(__name__)

AUTOMATIC = "first predictions"
SHIPPED_BY = "the version's files"
# Of so many texts the language is guessed.
MOST_LANGUAGES = 2000
# Beyond this, the oldest inactive references of a version go when another becomes active.
KEPT = 20
# Two makers of a version's first basis at once: the second takes the first one's.
_ROUNDS = 2
_FITTED = (ReferenceState.QUEUED, ReferenceState.RUNNING, ReferenceState.COLLECTING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What a reference is made of; `sums` may cover more answers than `sample`, and `then` runs in
    the transaction that makes it ready. `personal` [n] says which answers are about somebody: they
    count, and no row of theirs is kept. `is_ordered`: the sample is traffic as it arrived.
    """

    sample: Sample
    sums: Sums | None = None
    personal: npt.NDArray[np.bool_] | None = None
    is_ordered: bool = False
    then: Callable[[], None] = lambda: None


class _OtherBasis(Exception):
    """The version has got another basis meanwhile."""


def make_from_texts(id: int, *, now: datetime) -> bool:
    """Make the reference whose texts are all answered; False where it has ended meanwhile."""
    records, labels = work.load_answers(id)
    # How long they took, with nobody waiting and many at once, is no caller's time.
    sample = without_seconds(sample_of(records, languages=_languages(records, seed=id)))
    return make(id, Material(sample=with_truth(sample, labels)), now=now)


def make(id: int, material: Material, *, now: datetime) -> bool:
    """Make reference `id` of `material`: ready and active, or failed with the reason.

    Returns False where it has ended meanwhile, or failed. One that nobody asked for does not
    replace an active one.
    """
    try:
        for _ in range(_ROUNDS):
            try:
                return _write(id, _fitted(id, material), material, now)
            except _OtherBasis:
                continue
    except BellwetherError as error:
        work.end(id, error, state=ReferenceState.FAILED)
    return False


def lock(id: int) -> Row:
    """A reference, locked with all of its version: which one is active changes one by one."""
    row = Row.objects.only("model", "version").get(pk=id)
    rows = Row.objects.filter(model=row.model, version=row.version).order_by("pk")
    list(rows.select_for_update(no_key=True).values_list("pk", flat=True))
    return Row.objects.defer("payload").get(pk=id)


def activate(row: Row, *, actor: str, reason: str, now: datetime) -> None:
    """Let `row`, locked, be its version's only active reference, with an event."""
    siblings = Row.objects.filter(model=row.model, version=row.version)
    before = siblings.filter(is_active=True).values_list("id", flat=True).first()
    siblings.filter(is_active=True).update(is_active=False)
    Row.objects.filter(pk=row.pk).update(is_active=True)
    note_event(
        EventKind.REBASELINED,
        row.model,
        row.version,
        actor=actor,
        reason=reason,
        details={"reference": row.pk, "origin": row.origin, "n": row.n, "replaced": before},
    )
    old = siblings.filter(is_active=False, state=ReferenceState.READY).order_by("-id")
    Row.objects.filter(pk__in=list(old.values_list("pk", flat=True)[KEPT:])).delete()


def _languages(records: Sequence[PredictionRecord], *, seed: int) -> list[str]:
    """The languages of a uniform sample of the texts, empty for the others."""
    found = [""] * len(records)
    if not any(record.text for record in records):
        return found
    languages.load()
    order = np.random.default_rng(seed).permutation(len(records))[:MOST_LANGUAGES]
    for start in range(0, len(order), languages.MOST_PER_CALL):
        part = order[start : start + languages.MOST_PER_CALL]
        for i, language in zip(
            part, languages.detect([records[i].text for i in part]), strict=True
        ):
            found[i] = language
    return found


def _fitted(id: int, material: Material) -> Reference:
    row = Row.objects.defer("payload").get(pk=id)
    basis = load_basis(row.model, row.version)
    size = material.sample.embeddings.shape[1]
    if basis is not None and size and size != len(basis.mean):
        raise InvalidReference(
            f"The embeddings have {size} numbers, the version's others {len(basis.mean)}.",
            details={"field": "row_embeddings"},
        )
    rng = np.random.default_rng(id)
    try:
        fitted = fit(
            material.sample,
            rng=rng,
            basis=basis,
            sums=material.sums,
            keeps_texts=settings.BELLWETHER_STORE_TEXT,
            is_ordered=material.is_ordered,
        )
    except (ValueError, np.linalg.LinAlgError) as error:
        log.exception("reference %d cannot be fitted", id)
        raise InvalidReference(
            "These answers cannot be described: perhaps all are alike. Use other texts.",
            details={"field": "texts"},
        ) from error
    if material.personal is None or fitted.sample is None:
        return fitted
    return replace(fitted, sample=_impersonal(material.sample, material.personal, rng))


def _impersonal(
    sample: Sample, personal: npt.NDArray[np.bool_], rng: np.random.Generator
) -> Sample | None:
    rows = rng.permutation(np.flatnonzero(~personal))[:KEPT_ROWS]
    kept = sample.take(np.sort(rows)) if len(rows) else None
    return without_texts(kept) if kept and not settings.BELLWETHER_STORE_TEXT else kept


def _write(id: int, fitted: Reference, material: Material, now: datetime) -> bool:
    payload, summary = encode(fitted), summarise(fitted)
    with transaction.atomic():
        row = lock(id)
        if row.state not in _FITTED:
            return False
        _keep_basis(row, fitted.basis, now)
        row.state, row.ready_at, row.owner, row.leased_until = ReferenceState.READY, now, "", None
        row.n, row.n_labelled = fitted.sums.n, int(fitted.confusion.sum())
        row.payload, row.summary = payload, summary
        row.save(update_fields=[
            "state", "ready_at", "owner", "leased_until", "n", "n_labelled", "payload", "summary"
        ])  # fmt: skip
        ReferenceChunk.objects.filter(reference=row).delete()
        material.then()
        has_active = Row.objects.filter(model=row.model, version=row.version, is_active=True)
        if row.created_by not in (AUTOMATIC, SHIPPED_BY) or not has_active.exists():
            activate(row, actor=row.created_by, reason=row.note, now=now)
    return True


def load_basis(model: str, version: int) -> Basis | None:
    """The basis in which a version's embeddings are summed; None before its first reference."""
    payload = BasisRow.objects.filter(model=model, version=version).values_list("payload").first()
    return bases.decode(bytes(payload[0])) if payload else None


def _keep_basis(row: Row, basis: Basis | None, now: datetime) -> None:
    if basis is None:
        return
    kept, _ = BasisRow.objects.get_or_create(
        model=row.model,
        version=row.version,
        defaults={"name": basis.name, "payload": bases.encode(basis), "created_at": now},
    )
    if kept.name != basis.name:
        raise _OtherBasis
