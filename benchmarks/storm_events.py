"""The events of a storm: random predictions and labels, the same again for the same number."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from inference.journal import Journal
    from inference.records import PredictionRecord
    from monitoring.recorder import JournalWriter
    from monitoring.specs import FeedbackItem

MODEL = "bench/storm"
LABELS = ("NEGATIVE", "NEUTRAL", "POSITIVE")
SEGMENTS = ("", "web", "app")
SOURCES = (None, "audit", "delayed", "user")
DAYS = 20
BATCH = 500
# Of batches whose predictions stay in the journal for now: their labels come too early.
UNKEPT_SHARE = 0.2
# Of predictions that no roll-up counts.
PINNED_SHARE = 0.02
# Of labels that go to one of the newest predictions, and so are soon corrected.
RECENT_SHARE = 0.3
_RECENT = 100
_WRITER_BITS = 32
_NUMBER = (1 << _WRITER_BITS) - 1
# How long the predictions of a batch took: long enough to cross the bounds of minutes and slots.
BATCH_S = 900
_MEAN_DELAY_S = 2 * 86_400


def start_of(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS)


def register() -> None:
    """Make the model and its two versions."""
    from registry.models import RegisteredModel, Version

    namespace, _, short = MODEL.partition("/")
    model = RegisteredModel.objects.create(namespace=namespace, name=short)
    for number in (1, 2):
        Version.objects.create(
            model=model,
            number=number,
            digest=f"{number:064x}",
            manifest="{}",
            task="text-classification",
            labels=list(LABELS),
            pooling="mean",
            n_bytes=1,
            n_files=1,
            created_by="benchmark",
            source="benchmark",
        )


def write(home: Path, writer: int, n: int, seed: int, start: datetime) -> None:
    """Do the events of one writer that are left, batch after batch, until killed or done.

    Each life begins with a journal of its own and keeps those of the dead, as a server does. The
    batch that a kill cut short is done once more, as clients repeat what got no answer.
    """
    from inference.journal import Journal
    from monitoring.recorder import JournalWriter

    progress = home / f"progress-{writer}"
    done = int(progress.read_text()) if progress.exists() else 0
    journal = Journal.open(home / "journal")
    keeper = JournalWriter(journal)
    keeper.replay_orphans()
    while done < n:
        size = min(BATCH, n - done)
        _do_batch(journal, keeper, range(done, done + size), writer, seed, start)
        done += size
        fresh = progress.with_suffix(".new")
        fresh.write_text(str(done))
        fresh.rename(progress)
    _drain(keeper)
    journal.close()


def _do_batch(
    journal: "Journal",
    keeper: "JournalWriter",
    numbers: range,
    writer: int,
    seed: int,
    start: datetime,
) -> None:
    from monitoring.services import give_feedback

    rng = random.Random(f"{seed}-{writer}-{numbers.start}")
    journal.record([_record(_name(writer, k), start) for k in numbers if k % 2 == 0])
    if rng.random() >= UNKEPT_SHARE:
        _drain(keeper)
    labels = sum(k % 2 for k in numbers)
    while labels > 0:
        size = min(labels, rng.randint(1, 150))
        items, now = _labels(size, numbers.start, rng, start)
        give_feedback(items, key_id="storm", now=now, wait_s=0)
        labels -= size


def _drain(keeper: "JournalWriter") -> None:
    while keeper.run_once():
        pass


def _labels(
    size: int, done: int, rng: random.Random, start: datetime
) -> "tuple[list[FeedbackItem], datetime]":
    """Labels of predictions that some writer made before, all arriving at one, late moment."""
    from monitoring.specs import FeedbackItem

    chosen = list(_targets(size, done, rng))
    latest = max(made_at(name, start) for name in chosen)
    arrived = latest + timedelta(seconds=rng.expovariate(1 / _MEAN_DELAY_S))
    items = [
        FeedbackItem(id_of(name, start), rng.choice(LABELS), rng.choice(SOURCES)) for name in chosen
    ]
    return items, min(arrived, start + timedelta(days=DAYS))


def _targets(size: int, done: int, rng: random.Random) -> Iterator[int]:
    for _ in range(size):
        first = max(0, done - _RECENT) if rng.random() < RECENT_SHARE else 0
        yield _name(rng.randrange(2), rng.randint(first, done + BATCH - 1) // 2 * 2)


def _name(writer: int, number: int) -> int:
    return writer << _WRITER_BITS | number


def made_at(name: int, start: datetime) -> datetime:
    """When prediction `name` was made: a batch's within minutes, anywhere in the days before."""
    batch = name - (name & _NUMBER) % BATCH
    began = random.Random(batch).random() * (DAYS - 1) * 86_400
    return start + timedelta(seconds=began + random.Random(name).random() * BATCH_S)


def id_of(name: int, start: datetime) -> UUID:
    """The id of prediction `name`, the same in every process."""
    milliseconds = int(made_at(name, start).timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | 0b10 << 62 | name)


def _record(name: int, start: datetime) -> "PredictionRecord":
    from inference.records import LIVE, PINNED, PredictionRecord

    rng = random.Random(-name - 1)
    at = made_at(name, start).astimezone(UTC)
    label, score = rng.choice(LABELS), rng.uniform(1 / 3, 1)
    is_pinned = rng.random() < PINNED_SHARE
    return PredictionRecord(
        id=id_of(name, start),
        at=at.timestamp(),
        model=MODEL,
        version=1 + int(at >= start + timedelta(days=DAYS / 2)),
        digest="",
        task="text-classification",
        text=None,
        label=label,
        score=score,
        scores={other: score if other == label else (1 - score) / 2 for other in LABELS},
        n_tokens=12,
        truncated=False,
        segment=rng.choice(SEGMENTS),
        request_id="",
        dialect="storm",
        key_id="",
        tokenize_s=0.0001,
        queue_s=0.0001,
        inference_s=0.003,
        total_s=0.0032,
        embedding=b"",
        route=PINNED if is_pinned else LIVE,
    )
