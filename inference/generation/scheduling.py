"""Who joins the running batch next, and which cohort takes them in. Pure.

Rows are admitted by what they may come to need, so that nobody who runs has to be thrown out again.
Columns of a cohort never exceed its longest row, because common padding is trimmed: rows times the
longest final row bounds what its cache may come to hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from inference.generation.limits import GenerationLimits


@dataclass(frozen=True, slots=True)
class Size:
    """A row's tokens now (its prompt, before it starts), and those that it may come to have."""

    n_now: int
    n_final: int


@dataclass(frozen=True, slots=True)
class Load:
    """What one cohort holds."""

    n_rows: int = 0
    n_tokens: int = 0
    longest: int = 0
    longest_final: int = 0

    def with_row(self, size: Size) -> "Load":
        return Load(
            self.n_rows + 1,
            self.n_tokens + size.n_now,
            max(self.longest, size.n_now),
            max(self.longest_final, size.n_final),
        )

    def joined(self, other: "Load") -> "Load":
        return Load(
            self.n_rows + other.n_rows,
            self.n_tokens + other.n_tokens,
            max(self.longest, other.longest),
            max(self.longest_final, other.longest_final),
        )

    @property
    def reserved(self) -> int:
        """Cells, padding included, that the cache may come to have."""
        return self.n_rows * self.longest_final

    @property
    def padding(self) -> float:
        """Share of the cells now that hold no token."""
        return 1 - self.n_tokens / (self.n_rows * self.longest) if self.n_tokens else 0.0


def load_of(sizes: Sequence[Size]) -> Load:
    """Return what a cohort of these rows holds."""
    load = Load()
    for size in sizes:
        load = load.with_row(size)
    return load


def choose_newcomers(
    waiting: Sequence[Size],
    cohorts: Sequence[Load],
    limits: GenerationLimits,
    *,
    can_merge: bool,
    paused: Sequence[Load] = (),
) -> int:
    """Return how many of the head of `waiting` start now, together; 0 for nobody.

    Nobody is overtaken: who does not fit holds up those behind, so that a long prompt is not put
    off for ever by short ones. `can_merge` says whether newcomers may join a cohort that runs. What
    is `paused` takes room, but no turns.
    """
    n_running = sum(each.n_rows for each in (*cohorts, *paused))
    reserved = sum(each.reserved for each in (*cohorts, *paused))
    chosen = Load()
    for size in waiting:
        grown = chosen.with_row(size)
        if n_running + grown.n_rows > limits.max_rows:
            break
        if chosen.n_rows and not _is_good_prefill(grown, limits):
            break
        host = choose_host(grown, cohorts, limits) if can_merge else None
        if host is None and len(cohorts) >= limits.max_cohorts:
            break
        extra = grown.reserved
        if host is not None:
            extra = cohorts[host].joined(grown).reserved - cohorts[host].reserved
        # An empty generator takes whatever `put` let in.
        if reserved + extra > limits.max_cached_tokens and (n_running or chosen.n_rows):
            break
        chosen = grown
    return chosen.n_rows


def choose_host(newcomers: Load, cohorts: Sequence[Load], limits: GenerationLimits) -> int | None:
    """Return which cohort wastes least when it takes the newcomers in; None if all waste too much.

    They are as long as their prompts now, the cohort has grown: that difference is padding.
    """
    total = sum(each.reserved for each in cohorts)
    best: tuple[float, int] | None = None
    for index, cohort in enumerate(cohorts):
        joined = cohort.joined(newcomers)
        if joined.padding > limits.max_padding:
            continue
        if total - cohort.reserved + joined.reserved > limits.max_cached_tokens:
            continue
        if best is None or joined.padding < best[0]:
            best = (joined.padding, index)
    return None if best is None else best[1]


def _is_good_prefill(load: Load, limits: GenerationLimits) -> bool:
    fits = load.longest * load.n_rows <= limits.max_prefill_tokens
    return fits and load.padding <= limits.max_padding
