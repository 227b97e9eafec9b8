"""Traffic for the tests of its sums: records of two versions, segments and labels, seeded."""

from collections.abc import Sequence
from uuid import UUID, uuid4

import numpy as np
from django.utils import timezone

from inference.journal import ORIGIN, Position
from inference.records import PredictionRecord
from monitoring.drift import basis as bases
from monitoring.drift.basis import Basis
from monitoring.drift.sums import Sums
from monitoring.keeping import keep
from monitoring.models import Basis as BasisRow
from monitoring.models import JournalPosition
from tests.monitoring.builders import LABELS, MODEL, NOW, make_record

D = 8
START = NOW.timestamp()


def traffic(
    rng: np.random.Generator,
    n: int,
    *,
    start: float = START,
    every_s: float = 1.0,
    segments: Sequence[str] = ("",),
    versions: Sequence[int] = (1,),
    **changes: object,
) -> list[PredictionRecord]:
    """`n` records, one `every_s`, each with an embedding, a text and a fingerprint of its own."""
    return [_a_record(rng, start + i * every_s, segments, versions, changes) for i in range(n)]


def _a_record(
    rng: np.random.Generator,
    at: float,
    segments: Sequence[str],
    versions: Sequence[int],
    changes: dict[str, object],
) -> PredictionRecord:
    scores = rng.dirichlet(np.ones(len(LABELS)))
    best = int(scores.argmax())
    fields: dict[str, object] = {
        "at": at,
        "version": versions[rng.integers(len(versions))],
        "segment": segments[rng.integers(len(segments))],
        "text": f"text {rng.integers(1_000_000)}",
        "label": LABELS[best],
        "score": float(scores[best]),
        "scores": dict(zip(LABELS, map(float, scores), strict=True)),
        "n_tokens": int(rng.integers(1, 60)),
        "n_unknown": int(rng.integers(0, 2)),
        "script": "Latn" if rng.random() < 0.9 else "Cyrl",
        "is_empty": bool(rng.random() < 0.05),
        "truncated": bool(rng.random() < 0.05),
        "fingerprint": int(rng.integers(1, 2**62)),
        "total_s": float(rng.exponential(0.01)),
        "embedding": rng.standard_normal(D).astype("<f2").tobytes(),
    }
    return make_record(**(fields | changes))  # type: ignore[arg-type]


class AJournal:
    """A journal without files: what it is given is kept in the next of its positions."""

    def __init__(self) -> None:
        self.id: UUID = uuid4()
        self.position: Position = ORIGIN
        JournalPosition.objects.create(journal=self.id)

    def keep(self, records: Sequence[PredictionRecord]) -> int:
        end = self.position._replace(offset=self.position.offset + 1)
        n_new = keep(self.id, self.position, end, records)
        self.position = end
        return n_new


def keep_traffic(records: Sequence[PredictionRecord], *, chunk: int = 500) -> None:
    """Keep `records` through one journal."""
    journal = AJournal()
    for start in range(0, len(records), chunk):
        journal.keep(records[start : start + chunk])


def make_basis(rng: np.random.Generator, version: int = 1) -> Basis:
    """A basis of random directions, kept for the version."""
    basis = bases.fit(rng.standard_normal((200, D)).astype(np.float32), rng=rng)
    BasisRow.objects.create(
        model=MODEL,
        version=version,
        name=basis.name,
        payload=bases.encode(basis),
        created_at=timezone.now(),
    )
    return basis


def assert_same(found: Sums, expected: Sums) -> None:
    """Whole numbers exactly, others to the last digits: they are added in another order.

    Features are computed in single precision, whose last digit depends on how many are at once.
    """
    for name in Sums.__dataclass_fields__:
        one, other = getattr(found, name), getattr(expected, name)
        if isinstance(one, np.ndarray) and one.dtype.kind == "f":
            near = 1e-5 if name == "features" else 1e-9
            np.testing.assert_allclose(one, other, rtol=near, atol=near, err_msg=name)
        elif isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, other, err_msg=name)
        else:
            assert one == other, name
