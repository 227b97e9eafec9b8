"""What a run of `serve_load` says: its ratios, its limits and its tables. Pure."""

import math
from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.cells import Cell, Summary, find, summarise, table
from benchmarks.limits import (
    GOAL_OF_ORACLE,
    GOAL_OVERHEAD_MS,
    MAX_OVERHEAD_MS,
    MIN_AGREEMENT,
    MIN_TIMES_BLOG,
    Limit,
)
from benchmarks.raw import Layout, Raw, Sorted
from benchmarks.stats import median_of, ratio

SERVER, BLOG = "bellwether", "blog design"
MOST_CLIENTS = 32


class Stages(msgspec.Struct, frozen=True, kw_only=True):
    """The server's own medians, milliseconds, for `n` texts sent one after another."""

    n: int
    tokenize_ms: float
    queue_ms: float
    inference_ms: float
    total_ms: float


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The server's answers (status 200), those without an id, and the rows in its database."""

    n_answers: int
    n_rows: int
    n_without_id: int


def stages_of(timings: Sequence[Mapping[str, float]]) -> Stages:
    names = ("tokenize", "queue", "inference", "total")
    tokenize, queue, inference, total = (
        median_of(timings, lambda timing, name=name: timing[name])  # type: ignore[misc]
        for name in names
    )
    return Stages(
        n=len(timings),
        tokenize_ms=tokenize,
        queue_ms=queue,
        inference_ms=inference,
        total_ms=total,
    )


def overhead_ms(raws: Sequence[Raw], cells: Sequence[Cell], *, is_paced: bool) -> float:
    """Return server p50 at one client − bare tokenise + forward + decode, median over rounds.

    The bare pass runs in one of the server's lanes, back to back or with a pause between texts.
    """
    alone = [c for c in cells if c.side == SERVER and c.load.clients == 1]
    pairs = list(zip(raws, alone, strict=True))
    return median_of(pairs, lambda pair: pair[1].load.p50_ms - _bare_ms(pair[0], is_paced))


def _bare_ms(raw: Raw, is_paced: bool) -> float:
    return next(row.total_ms for row in raw.batch_one if bool(row.layout.pause_s) == is_paced)


def rate_ratio(cells: Sequence[Cell], clients: int) -> float:
    """Return the median over rounds of server ÷ blog answers a second."""
    server, blog = (
        [c for c in cells if c.side == side and c.load.clients == clients]
        for side in (SERVER, BLOG)
    )
    pairs = list(zip(server, blog, strict=True))
    return median_of(pairs, lambda pair: ratio(pair[0].load.per_s, pair[1].load.per_s))


def oracle_rows(raws: Sequence[Raw]) -> list[Sorted]:
    """Return the median over rounds of every layout and batch size."""
    return [
        Sorted(
            layout=row.layout,
            batch=row.batch,
            per_s=median_of(raws, lambda raw, place=place: raw.oracle[place].per_s),  # type: ignore[misc]
        )
        for place, row in enumerate(raws[0].oracle)
    ]


def best(rows: Sequence[Sorted]) -> Sorted:
    return max(rows, key=lambda row: row.per_s)


def agreement(cells: Sequence[Cell]) -> float:
    """Return the share of the server's answers whose label is that of the text run alone."""
    loads = [cell.load for cell in cells if cell.side == SERVER]
    n_answers = sum(load.n_answers for load in loads)
    return ratio(n_answers - sum(load.n_unexpected for load in loads), n_answers)


def limits_of(raws: Sequence[Raw], cells: Sequence[Cell], kept: Kept) -> list[Limit]:
    """Judge one run."""
    overhead = overhead_ms(raws, cells, is_paced=True)
    back_to_back = overhead_ms(raws, cells, is_paced=False)
    most = find(summarise(cells), SERVER, MOST_CLIENTS)
    n_errors = sum(cell.load.n_errors for cell in cells if cell.side == SERVER)
    return [
        _at_most("server p50 - (tokenise + forward + decode), ms", overhead, MAX_OVERHEAD_MS),
        _at_most("the same, goal, ms", overhead, GOAL_OVERHEAD_MS, is_required=False),
        _at_most(
            "the same, bare pass back to back, ms", back_to_back, MAX_OVERHEAD_MS, is_required=False
        ),
        _at_least("server / blog, answers/s at 32", rate_ratio(cells, 32), MIN_TIMES_BLOG),
        _at_least(
            "server at 32 / oracle, texts/s",
            ratio(most.per_s, best(oracle_rows(raws)).per_s),
            GOAL_OF_ORACLE,
            is_required=False,
        ),
        _at_most("errors of the server", n_errors, 0),
        _at_most("answers without an id", kept.n_without_id, 0),
        _at_most("|rows - answers|", abs(kept.n_rows - kept.n_answers), 0),
        _at_least("labels as in the bare forward pass", agreement(cells), MIN_AGREEMENT),
    ]


def _at_most(name: str, value: float, bound: float, *, is_required: bool = True) -> Limit:
    return Limit(name=name, value=value, bound=bound, is_floor=False, is_required=is_required)


def _at_least(name: str, value: float, bound: float, *, is_required: bool = True) -> Limit:
    return Limit(name=name, value=value, bound=bound, is_floor=True, is_required=is_required)


def describe(
    raws: Sequence[Raw],
    cells: Sequence[Cell],
    stages: Stages,
    kept: Kept,
    summaries: Sequence[Summary],
    limits: Sequence[Limit],
) -> list[str]:
    """Return the run as lines for people; figures are medians of the rounds."""
    idle = max((cell.idle_cores for cell in cells), default=math.nan)
    return [
        *_describe_raw(raws),
        "",
        *table(summaries),
        "",
        f"  the side that was not asked used at most {idle:.3f} cores",
        f"  server's own medians, one client, {stages.n} texts, ms: tokenise "
        f"{stages.tokenize_ms:.2f}, queue {stages.queue_ms:.2f}, inference "
        f"{stages.inference_ms:.2f}, total {stages.total_ms:.2f}",
        f"  {kept.n_answers} answers, {kept.n_rows} rows in the database",
        "",
        *(limit.sentence() for limit in limits),
    ]


def _describe_raw(raws: Sequence[Raw]) -> list[str]:
    first = raws[0]
    lines = [
        f"bare forward pass: {first.device}, {first.n_tokens_mean:.1f} tokens a text on average",
        f"{'batch 1, p50 ms':<28}{'tokenise':>10}{'forward':>10}{'decode':>10}{'sum':>10}",
    ]
    for place, row in enumerate(first.batch_one):
        figures = [
            median_of(raws, lambda raw, name=name, at=place: getattr(raw.batch_one[at], name))  # type: ignore[misc]
            for name in ("tokenize_ms", "forward_ms", "decode_ms", "total_ms")
        ]
        lines.append(f"{_title(row.layout):<28}" + "".join(f"{each:>10.3f}" for each in figures))
    return [*lines, "", *_describe_oracle(oracle_rows(raws))]


def _describe_oracle(rows: Sequence[Sorted]) -> list[str]:
    titles = list(dict.fromkeys(_title(row.layout) for row in rows))
    sizes = list(dict.fromkeys(row.batch for row in rows))
    lines = [f"{'sorted by length, texts/s':<28}" + "".join(f"{'b' + str(s):>9}" for s in sizes)]
    for title in titles:
        rates = [row.per_s for row in rows if _title(row.layout) == title]
        lines.append(f"{title:<28}" + "".join(f"{rate:>9.1f}" for rate in rates))
    top = best(rows)
    return [*lines, f"  the oracle: {top.per_s:.1f} texts/s ({_title(top.layout)}, b{top.batch})"]


def _title(layout: Layout) -> str:
    return f"{layout.name} ({layout.n_lanes}x{layout.n_threads}T)"
