"""The audit log as a chain (pure): each event's hash covers the event and the hash before it.

    hash = sha256(previous hash as 64 hex digits ‖ canonical JSON of the event)

Events from before there were hashes may stand only at the beginning; they are folded into the
previous hash of the first event that has one, so they cannot be changed either. Whoever can write
to the database can rewrite an event and every hash after it; a `Checkpoint` kept elsewhere shows
that for everything up to the event it names.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from registry.specs import EventKind

# What comes before the first event.
GENESIS = "0" * 64
# A report tells what is wrong, not every event after it.
MAX_FAULTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """What the hash of an event covers: every field, the model by its name."""

    id: int
    at: datetime
    model: str
    number: int | None
    kind: str
    actor: str
    reason: str
    details: Any
    from_number: int | None
    to_number: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An event as it is stored. `owner` is the name of the model its row points at, if any."""

    record: EventRecord
    previous_hash: str
    hash: str
    owner: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The head of the chain at a time, to be kept where the database's writers cannot change it."""

    id: int
    hash: str
    n_events: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that cannot be in an untouched log, at or just before the event `id`."""

    id: int
    kind: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainReport:
    """What reading the whole log has shown; `faults` are the first MAX_FAULTS of `n_faults`.

    `n_unsealed` events at the beginning are older than the chain. `head_id` is 0 in an empty log.
    """

    n_events: int
    n_unsealed: int
    head_id: int
    head_hash: str
    n_faults: int
    faults: tuple[Fault, ...]

    @property
    def is_sound(self) -> bool:
        return self.n_faults == 0


def event_hash(previous_hash: str, record: EventRecord) -> str:
    """The hash (hex) of an event after the one with `previous_hash`."""
    return hashlib.sha256(previous_hash.encode() + canonical(record)).hexdigest()


def canonical(record: EventRecord) -> bytes:
    """The event as JSON in one form only: sorted keys, no white space, UTF-8, UTC times.

    >>> from datetime import UTC, datetime
    >>> canonical(EventRecord(
    ...     id=1, at=datetime(2026, 1, 2, tzinfo=UTC), model="a/b", number=None, kind="created",
    ...     actor="x", reason="", details={"b": 2.0, "a": 0.5}, from_number=None, to_number=None))
    ... # doctest: +ELLIPSIS
    b'{"actor":"x","at":"2026-01-02T00:00:00.000000Z","details":{"a":0.5,"b":2},"from":null,...
    """
    at = record.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    values = {
        "id": record.id,
        "at": at,
        "model": record.model,
        "number": record.number,
        "kind": str(record.kind),
        "actor": record.actor,
        "reason": record.reason,
        "details": _unified(record.details),
        "from": record.from_number,
        "to": record.to_number,
    }
    text = json.dumps(
        values, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False
    )
    return text.encode()


def plain(details: Any) -> Any:
    """`details` as any database gives them back: JSON values only, without NUL or surrogates.

    Raises TypeError or ValueError for what JSON cannot say (NaN among it).
    """
    return _cleaned(json.loads(json.dumps(details, allow_nan=False)))


def check_chain(links: Iterable[Link], checkpoint: Checkpoint | None = None) -> ChainReport:
    """Check the whole log, given in the order of its ids, against itself and `checkpoint`.

    Found is every event that was changed, removed, added or moved; of those after the checkpoint,
    the last ones may have been removed or rewritten unseen.
    """
    walk = _Walk(checkpoint)
    for link in links:
        walk.step(link)
    return walk.finish()


@dataclass(slots=True)
class _Walk:
    checkpoint: Checkpoint | None
    head: str = GENESIS
    head_id: int = 0
    n_events: int = 0
    n_unsealed: int = 0
    n_faults: int = 0
    has_begun: bool = False
    saw_checkpoint: bool = False
    faults: list[Fault] = field(default_factory=list)
    # By model name: the first event that points at a model of that name, and at none.
    owned: dict[str, int] = field(default_factory=dict)
    loose: dict[str, int] = field(default_factory=dict)

    def step(self, link: Link) -> None:
        self.n_events += 1
        if link.hash:
            self._check_sealed(link)
        else:
            self._check_unsealed(link)
        self.head_id = link.record.id
        self._check_checkpoint(link)
        self._check_owner(link)

    def finish(self) -> ChainReport:
        if self.checkpoint and not self.saw_checkpoint:
            self._fault(
                self.checkpoint.id, "truncated", "the event that the checkpoint names is gone"
            )
        for name, first in self.loose.items():
            self._fault(first, "detached", f"it was cut off from {name}, which was never deleted")
        return ChainReport(
            n_events=self.n_events,
            n_unsealed=self.n_unsealed,
            head_id=self.head_id,
            head_hash=self.head if self.has_begun else "",
            n_faults=self.n_faults,
            faults=tuple(self.faults),
        )

    def _check_sealed(self, link: Link) -> None:
        self.has_begun = True
        if link.previous_hash != self.head:
            self._fault(
                link.record.id,
                "broken",
                "it does not follow the event before it: one was removed, added, moved or changed",
            )
        if not _has_hash(link):
            self._fault(link.record.id, "changed", "its hash is not that of what it says")
        self.head = link.hash

    def _check_unsealed(self, link: Link) -> None:
        if self.has_begun or link.previous_hash:
            self._fault(link.record.id, "unsealed", "it has no hash, though events before it have")
            return
        self.n_unsealed += 1
        try:
            self.head = event_hash(self.head, link.record)
        except (TypeError, ValueError):
            self._fault(link.record.id, "changed", "it cannot be read")

    def _check_checkpoint(self, link: Link) -> None:
        if self.checkpoint is None or link.record.id != self.checkpoint.id:
            return
        self.saw_checkpoint = True
        is_same = self.n_events == self.checkpoint.n_events and link.hash == self.checkpoint.hash
        if not is_same:
            self._fault(
                link.record.id, "rewritten", "the log up to it is not the one of the checkpoint"
            )

    def _check_owner(self, link: Link) -> None:
        name, event = link.record.model, link.record.id
        if link.owner is not None and link.owner != name:
            self._fault(event, "misplaced", f"it speaks of {name or 'no model'}, not {link.owner}")
        elif link.owner is not None:
            self.owned.setdefault(name, event)
        elif name:
            self.loose.setdefault(name, event)
        if link.record.kind == EventKind.DELETED:
            self.loose.pop(name, None)
            if name in self.owned:
                first = self.owned.pop(name)
                self._fault(first, "misplaced", f"it points at {name}, deleted since")

    def _fault(self, event: int, kind: str, message: str) -> None:
        self.n_faults += 1
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(Fault(id=event, kind=kind, message=message))


def fold(links: Iterable[Link]) -> str:
    """The hash that the first sealed event after these unsealed ones must name as previous."""
    head = GENESIS
    for link in links:
        head = event_hash(head, link.record)
    return head


def _has_hash(link: Link) -> bool:
    try:
        return event_hash(link.previous_hash, link.record) == link.hash
    except (TypeError, ValueError):
        return False


def _unified(value: Any) -> Any:
    """Equal numbers alike: databases hand 100000.0 back as 100000 or as it was."""
    if isinstance(value, dict):
        return {key: _unified(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unified(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _cleaned(value: Any) -> Any:
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    return value


def parse_checkpoint(text: str) -> Checkpoint:
    """Read what `checkpoint_text` wrote; raises ValueError."""
    values = json.loads(text)
    if not isinstance(values, dict):
        raise ValueError("a checkpoint is a JSON object")
    try:
        found = Checkpoint(
            id=int(values["id"]),
            hash=str(values["hash"]),
            n_events=int(values["n_events"]),
            at=datetime.fromisoformat(str(values["at"])),
        )
    except (KeyError, TypeError) as error:
        raise ValueError("a checkpoint has id, hash, n_events and at") from error
    return found


def checkpoint_text(checkpoint: Checkpoint) -> str:
    """The checkpoint as JSON in one form only, so that it can be signed."""
    values = {
        "id": checkpoint.id,
        "hash": checkpoint.hash,
        "n_events": checkpoint.n_events,
        "at": checkpoint.at.astimezone(UTC).isoformat(timespec="microseconds"),
    }
    return json.dumps(values, separators=(",", ":"), sort_keys=True)
