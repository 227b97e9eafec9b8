"""The play: four acts, what each shows, and what must have happened before the next. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from itertools import count

from config.demo.texts import Texts, messages, mislabelled, reviews
from monitoring.verdicts import Verdict

WATCHING = ("drift by count", "quality", "estimate")
"""The monitors that the play is about: the others look at hours and days."""
_WRONG = 0.6


class Wanted(Enum):
    """What ends an act."""

    QUIET = "drift and quality are judged, and all is well"
    DRIFT = "the drift is told"
    QUALITY = "the loss of quality is told"
    RECOVERY = "every alert is resolved"


class Stream(Enum):
    """Which texts come, and how they are labelled."""

    REVIEWS = "film reviews, labelled"
    MESSAGES = "help desk messages, no labels"
    MISLABELLED = "film reviews, labels mixed up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """`n` texts at least, over about `length_s` seconds, until `wanted` is reached."""

    title: str
    shows: str
    stream: Stream
    wanted: Wanted
    n: int
    length_s: float

    @property
    def pace(self) -> float:
        """Texts a second."""
        return self.n / self.length_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """`window` predictions are compared with `n_reference` texts, once `fewest` are there."""

    acts: tuple[Act, ...]
    n_reference: int
    window: int
    fewest: int
    longest_wait_s: float = 75.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What the service says: the kinds that fire, and each monitor's last verdict by name."""

    firing: Collection[str]
    verdicts: Mapping[str, str | None]


ACTS = (
    Act(
        title="All is well",
        shows="Film reviews come in, true labels come back. Nobody must hear anything.",
        stream=Stream.REVIEWS,
        wanted=Wanted.QUIET,
        n=1200,
        length_s=34,
    ),
    Act(
        title="Another kind of text",
        shows="A help desk's messages arrive instead. Drift is seen without a single label.",
        stream=Stream.MESSAGES,
        wanted=Wanted.DRIFT,
        n=600,
        length_s=22,
    ),
    Act(
        title="The labels turn wrong",
        shows="Reviews again, so drift ends; but labels say that the model is often wrong.",
        stream=Stream.MISLABELLED,
        wanted=Wanted.QUALITY,
        n=700,
        length_s=24,
    ),
    Act(
        title="Recovery",
        shows="True labels again. Every alert resolves by itself.",
        stream=Stream.REVIEWS,
        wanted=Wanted.RECOVERY,
        n=900,
        length_s=26,
    ),
)
FULL = Script(acts=ACTS, n_reference=1000, window=400, fewest=200)
"""About two minutes."""
_FAST_N = (360, 240, 240, 300)
FAST = Script(
    acts=tuple(replace(act, n=n, length_s=n / 40) for act, n in zip(ACTS, _FAST_N, strict=True)),
    n_reference=400,
    window=200,
    fewest=100,
)
"""For tests: as few texts as show the same."""
CALM = replace(
    ACTS[-1],
    title="An earlier play was cut short",
    shows="Its alerts still fire. Reviews with true labels first, until all is quiet.",
)


def reference(n: int, seed: int) -> list[dict[str, str | None]]:
    """What the traffic is compared with: `n` reviews with labels, of a seed that no act has."""
    rows = zip(range(n), reviews(-1 - seed), strict=False)
    return [{"text": row.text, "label": row.label} for _, row in rows]


def texts(act: Act, seed: int) -> Texts:
    """The act's texts, without end."""
    if act.stream is Stream.MESSAGES:
        return messages(seed)
    if act.stream is Stream.MISLABELLED:
        return mislabelled(reviews(seed), seed, share=_WRONG)
    return reviews(seed)


def is_reached(wanted: Wanted, seen: Seen) -> bool:
    """Whether what an act waits for has come.

    >>> is_reached(Wanted.DRIFT, Seen({"drift"}, {}))
    True
    >>> is_reached(Wanted.RECOVERY, Seen({"drift"}, {}))
    False
    """
    if wanted is Wanted.DRIFT:
        return "drift" in seen.firing
    if wanted is Wanted.QUALITY:
        return "quality" in seen.firing
    all_ok = all(seen.verdicts.get(name) == Verdict.OK for name in WATCHING)
    return all_ok and not seen.firing


def rounds(script: Script, seed: int, *, is_loop: bool) -> Iterator[tuple[int, Act, int]]:
    """(round, act, seed of its texts): once, or again and again."""
    for turn in count(1) if is_loop else (1,):
        for i, act in enumerate(script.acts):
            yield turn, act, seed + 100 * turn + i


def monitor_changes(script: Script) -> dict[str, dict[str, object]]:
    """What is changed of the monitors that every model has, by name.

    A person who watches for two minutes cannot wait for two looks, a cooldown, or a day's window.
    Levels stay as they are: they follow from the time between two looks.
    """
    hurried: dict[str, object] = {
        "every_s": 5,
        "fires_after": 1,
        "resolves_after": 1,
        "cooldown_s": 0,
        "is_enabled": True,
    }
    by_count = hurried | {"window": script.window, "options": {"min_items": script.fewest}}
    slow: Iterable[str] = ("drift by day", "calibration", "traffic", "feedback")
    return {
        "drift by count": by_count,
        "estimate": by_count,
        "quality": hurried,
        # A play that ends is no outage, and its wrong labels no finding of the next days.
        **{name: {"is_enabled": False} for name in slow},
    }
