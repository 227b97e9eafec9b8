"""Which chunks of a model are kept for its next upload, and where.

Everything here belongs to one model and one epoch: what another model's pushers sent cannot be
named. A row is a promise to clients, who remember what they sent to an epoch: one that cannot be
kept any more ends the epoch (`end_epoch`), and the next upload starts with nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from registry.hub.xet.places import Lengths, Piece, add_pieces, is_complete
from registry.models import Blob, RegisteredModel, Xorb

STAGED_FOR = timedelta(hours=24)
"""How long chunks wait for a shard that makes files of them."""
KEPT_FOR = timedelta(days=30)
"""Clients themselves forget after three weeks what they sent."""
_BATCH = 500


@dataclass(frozen=True, slots=True)
class KeptXorb:
    """One xorb's chunks: how long each is, and where those lie that are in stored files."""

    lengths: Lengths
    pieces: tuple[Piece, ...]

    @property
    def is_complete(self) -> bool:
        return is_complete(self.pieces, len(self.lengths))


def add_xorb(model: RegisteredModel, epoch: int, name: str, lengths: Sequence[int]) -> None:
    """Record a xorb whose chunks have just been staged."""
    # Sent once more although it was known: its chunks were lost, so their old places are, too.
    Xorb.objects.update_or_create(
        model=model, epoch=epoch, hash=name, defaults={"lengths": list(lengths), "pieces": []}
    )


def load_xorb(model: RegisteredModel, epoch: int, name: str) -> KeptXorb | None:
    """What is known of a xorb; None if nothing is."""
    row = Xorb.objects.filter(model=model, epoch=epoch, hash=name).first()
    return _kept(row) if row else None


@transaction.atomic
def add_places(
    model: RegisteredModel, epoch: int, places: Mapping[str, Iterable[Piece]]
) -> set[str]:
    """Record where chunks lie, by xorb; returns the xorbs all of whose chunks now have a place."""
    complete = set()
    # In the order of their names: two shards that share xorbs cannot block each other.
    for name in sorted(places):
        rows = Xorb.objects.select_for_update().filter(model=model, epoch=epoch, hash=name)
        for row in rows:
            kept = _kept(row)
            # Sent anew meanwhile, with other lengths: what was placed is of another xorb.
            fitting = [piece for piece in places[name] if piece.end <= len(kept.lengths)]
            pieces = add_pieces(kept.pieces, fitting, kept.lengths)
            Xorb.objects.filter(pk=row.pk).update(pieces=[list(piece) for piece in pieces])
            if is_complete(pieces, len(kept.lengths)):
                complete.add(name)
    return complete


def end_epoch(model: RegisteredModel, epoch: int) -> None:
    """Have clients start anew; nothing happens if `epoch` has ended before."""
    RegisteredModel.objects.filter(pk=model.pk, cas_epoch=epoch).update(
        cas_epoch=F("cas_epoch") + 1
    )


@transaction.atomic
def forget_chunks(*, now: datetime) -> int:
    """Drop the rows whose chunks are gone, or that no client can name any more; returns how many.

    Meant to run after blobs were swept, and now and then. The epochs of models that lost chunks
    which a client may still count on end.
    """
    lost: set[int] = set()
    useless: list[int] = []
    for row, is_lost in _doomed(now):
        useless.append(row.pk)
        if is_lost and row.epoch == row.model.cas_epoch:
            lost.add(row.model_id)
    for at in range(0, len(useless), _BATCH):
        Xorb.objects.filter(pk__in=useless[at : at + _BATCH]).delete()
    RegisteredModel.objects.filter(pk__in=lost).update(cas_epoch=F("cas_epoch") + 1)
    return len(useless)


def _doomed(now: datetime) -> Iterator[tuple[Xorb, bool]]:
    """Rows to drop, and whether a client may still count on their chunks."""
    for row in Xorb.objects.select_related("model").order_by("pk").iterator(_BATCH):
        age = now - row.created_at
        kept = _kept(row)
        if not _has_blobs(kept.pieces) or (age > STAGED_FOR and not kept.is_complete):
            yield row, True
        elif age > KEPT_FOR or (age > STAGED_FOR and row.epoch != row.model.cas_epoch):
            yield row, False


def _has_blobs(pieces: Iterable[Piece]) -> bool:
    names = {piece.sha256 for piece in pieces}
    return Blob.objects.filter(pk__in=names, is_damaged=False).count() == len(names)


def _kept(row: Xorb) -> KeptXorb:
    return KeptXorb(Lengths(row.lengths), tuple(Piece(*piece) for piece in row.pieces))
