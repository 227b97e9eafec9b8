"""The writer: one thread that turns this process's journal, and dead processes', into rows.

It wakes when something was recorded, keeps what is there in chunks of one transaction each, and
lets a quarter of a second of traffic gather before it goes again, unless feedback waits for a row:
a transaction costs as much as a dozen rows. While the database is away it waits longer and longer
(0.1 to 5 s); the journal grows, predictions go on, nothing is lost.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

import msgspec
from django.db import DataError, IntegrityError, connection, connections

from inference.journal import (
    ORIGIN,
    Chunk,
    Journal,
    Position,
    discard_before,
    orphans,
    read_records,
    remove,
    set_aside,
)
from inference.records import PredictionRecord
from monitoring.keeping import PositionMoved, forget_position, keep, load_position

logger = logging.getLogger(__name__)

CHUNK_RECORDS = 500
GROUP_S = 0.25
IDLE_S = 0.25
ORPHANS_EVERY_S = 30.0
SYNC_EVERY_S = 1.0
SHORTEST_BACKOFF_S, LONGEST_BACKOFF_S = 0.1, 5.0
# What one record can provoke (NUL or NaN on PostgreSQL, a number too large) and time cannot heal.
POISON = (DataError, IntegrityError, ValueError, OverflowError)


class JournalWriter:
    """Keeps one journal, and orphans beside it. Also a Recorder: appending through it wakes it.

    `n_applied` counts new rows, `n_corrupt` records or stretches set aside; `last_error` says what
    is wrong (empty once things work again).
    """

    def __init__(self, journal: Journal, *, clock: Callable[[], float] = time.time) -> None:
        self._journal = journal
        self._clock = clock
        self._position: Position | None = None
        self._wake = threading.Event()
        self._stopping = threading.Event()
        # Set when somebody waits for a row: the writer then does not let traffic gather.
        self._hurry = threading.Event()
        self._applied = threading.Condition()
        self._thread: threading.Thread | None = None
        self._orphans_due_at = 0.0
        self._sync_due_at = 0.0
        self.n_applied = 0
        self.n_corrupt = 0
        self.last_error = ""

    def record(self, records: Sequence[PredictionRecord]) -> None:
        """Append to the journal and wake the writer. Raises OSError."""
        self._journal.record(records)
        self.wake()

    def wake(self) -> None:
        if not self._wake.is_set():
            self._wake.set()

    def start(self) -> None:
        """Start the thread and become the process's own writer, which feedback may wait for."""
        global _local
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        _local = self
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> bool:
        """Keep what is left, as far as the database lets it within `timeout_s`, and end the thread.

        True if everything is in rows; otherwise the next start keeps the rest.
        """
        global _local
        self._stopping.set()
        self._hurry.set()
        self.wake()
        if self._thread is not None:
            self._thread.join(timeout_s)
        if _local is self:
            _local = None
        return self._position is not None and self._position >= self._journal.end

    def run_once(self) -> int:
        """Keep the next chunk of the own journal; how many records it held (0: nothing is left).

        Raises what the database or the disk raises, having changed nothing.
        """
        position = self._position or self._reached(load_position(self._journal.id))
        if position >= self._journal.end:
            return 0
        chunk = self._journal.read(position, CHUNK_RECORDS)
        try:
            self._keep(self._journal.id, self._journal.directory, position, chunk)
        except PositionMoved:
            self._position = None
            raise
        if chunk.end.segment > position.segment:
            discard_before(self._journal.directory, chunk.end)
        self._reached(chunk.end)
        return len(chunk.records) + len(chunk.damaged)

    def replay_orphans(self) -> int:
        """Keep and remove the journals of processes that are gone; how many journals."""
        n_journals = 0
        for directory in orphans(self._journal.root):
            if not self._replay(directory):
                break
            n_journals += 1
        return n_journals

    def wait_applied(self, position: Position, timeout_s: float) -> bool:
        """Wait until all before `position` is in rows, at most `timeout_s`; whether it is."""
        self._hurry.set()
        self.wake()
        with self._applied:
            return self._applied.wait_for(
                lambda: self._position is not None and self._position >= position, timeout_s
            )

    def wait_caught_up(self, timeout_s: float) -> bool:
        """As `wait_applied`, for all that was recorded before this call."""
        return self.wait_applied(self._journal.end, timeout_s)

    def lag_s(self) -> float:
        """Age in seconds of the oldest record of the own journal that is not in rows; else 0."""
        position = self._position or ORIGIN
        if position >= self._journal.end:
            return 0.0
        try:
            oldest = self._journal.read(position, 1).records
        except FileNotFoundError:  # kept and discarded while we looked
            return 0.0
        return max(0.0, self._clock() - oldest[0].at) if oldest else 0.0

    def _reached(self, position: Position) -> Position:
        with self._applied:
            self._position = position
            self._applied.notify_all()
        return position

    def _run(self) -> None:
        backoff_s = SHORTEST_BACKOFF_S
        try:
            while not self._stopping.is_set():
                self._wake.wait(IDLE_S)
                self._wake.clear()
                self._hurry.clear()
                if self._step():
                    backoff_s = SHORTEST_BACKOFF_S
                    self._hurry.wait(GROUP_S)
                else:
                    self._stopping.wait(backoff_s)
                    backoff_s = min(2 * backoff_s, LONGEST_BACKOFF_S)
                    self.wake()
            self._step()
            self._sync()
        finally:
            connections.close_all()

    def _step(self) -> bool:
        """One round, after which either everything is kept or something is wrong (False)."""
        try:
            self._drain()
            if self._clock() >= self._orphans_due_at and not self._stopping.is_set():
                self.replay_orphans()
                self._orphans_due_at = self._clock() + ORPHANS_EVERY_S
        except PositionMoved as error:
            logger.warning("journal position moved under the writer: %s", error)
            return True
        except Exception as error:
            self._failed(error)
            return False
        if self.last_error:
            logger.warning("the journal is being kept again, after: %s", self.last_error)
        self.last_error = ""
        return True

    def _drain(self) -> None:
        while self.run_once():
            if self._clock() >= self._sync_due_at:
                self._sync()

    def _sync(self) -> None:
        self._sync_due_at = self._clock() + SYNC_EVERY_S
        try:
            self._journal.sync()
        except OSError as error:
            logger.warning("the journal could not be synced to its disk: %s", error)

    def _failed(self, error: Exception) -> None:
        text = f"{type(error).__name__}: {error}"
        if text != self.last_error:
            logger.warning("predictions stay in the journal for now: %s", text)
        self.last_error = text
        self._sync()
        connection.close_if_unusable_or_obsolete()

    def _replay(self, directory: Path) -> bool:
        journal = UUID(directory.name)
        position = load_position(journal)
        while True:
            chunk = read_records(directory, position, CHUNK_RECORDS)
            if chunk.end == position:
                break
            self._keep(journal, directory, position, chunk)
            position = chunk.end
            # Today's predictions do not wait for yesterday's.
            self._drain()
            if self._stopping.is_set():
                return False
        remove(directory)
        forget_position(journal)
        return True

    def _keep(self, journal: UUID, directory: Path, start: Position, chunk: Chunk) -> None:
        for damage in chunk.damaged:
            path = set_aside(directory, damage.start, damage.data)
            logger.error("a damaged stretch of the journal was set aside in %s", path)
        reached = self._keep_or_bisect(journal, directory, start, chunk.records, chunk.ends)
        if reached != chunk.end:
            keep(journal, reached, chunk.end, ())
        self.n_corrupt += len(chunk.damaged)

    def _keep_or_bisect(
        self,
        journal: UUID,
        directory: Path,
        start: Position,
        records: Sequence[PredictionRecord],
        ends: Sequence[Position],
    ) -> Position:
        """Keep `records`, except those that no database takes; where the journal then is."""
        if not records:
            return start
        try:
            self.n_applied += keep(journal, start, ends[-1], records)
            return ends[-1]
        except POISON as error:
            if len(records) == 1:
                path = set_aside(directory, start, msgspec.msgpack.encode(records[0]))
                logger.error(
                    "a record that the database refuses was set aside in %s: %s", path, error
                )
                keep(journal, start, ends[-1], ())
                self.n_corrupt += 1
                return ends[-1]
        middle = len(records) // 2
        reached = self._keep_or_bisect(journal, directory, start, records[:middle], ends[:middle])
        return self._keep_or_bisect(journal, directory, reached, records[middle:], ends[middle:])


_local: JournalWriter | None = None


def get_local_writer() -> JournalWriter | None:
    """The writer that runs in this process, if one does."""
    return _local
