import math

import msgspec
import pytest

from benchmarks import verdict
from benchmarks.cells import Cell, find, summarise, table
from benchmarks.interference import ADMIN, ADMIN_CLIENTS, PREDICT, ratios, told_beside
from benchmarks.limits import Limit, has_missed
from benchmarks.planes import LAYER_CLIENTS, LAYERS, layer_ratios
from benchmarks.verdict import BLOG, SERVER, Kept
from tests.benchmarks.builders import a_cell, a_load, a_raw

KEPT = Kept(n_answers=6, n_rows=6, n_without_id=0)
STAGES = verdict.stages_of(
    [{"tokenize": 0.1, "queue": 0.05, "inference": 4.0, "total": 4.4}] * 3
    + [{"tokenize": 9.0, "queue": 9.0, "inference": 9.0, "total": 9.0}]
)


def _cells(
    *, p50_ms: float = 5.0, server: float = 180.0, blog: float = 45.0, n_rounds: int = 1
) -> list[Cell]:
    return [
        a_cell(side, a_load(clients=clients, p50_ms=p50_ms, per_s=rate), number=number)
        for number in range(1, n_rounds + 1)
        for clients in (1, 8, 32)
        for side, rate in ((SERVER, server), (BLOG, blog))
    ]


def _missed(limits: list[Limit]) -> list[str]:
    return [limit.name for limit in limits if not limit.is_met]


def test_a_good_run_misses_nothing_required() -> None:
    limits = verdict.limits_of([a_raw()], _cells(), KEPT)
    assert not has_missed(limits)
    assert _missed(limits) == ["server at 32 / oracle, texts/s"]


def test_overhead_is_paired_with_the_bare_pass_of_its_own_round() -> None:
    cells = [
        a_cell(SERVER, a_load(p50_ms=p50_ms), number=number)
        for number, p50_ms in ((1, 5.0), (2, 9.0), (3, 7.0))
    ]
    raws = [a_raw(total_ms=total_ms) for total_ms in (4.5, 8.6, 6.3)]
    assert verdict.overhead_ms(raws, cells, is_paced=True) == pytest.approx(0.5)


def test_slow_serving_is_missed() -> None:
    limits = verdict.limits_of([a_raw()], _cells(p50_ms=5.6, server=100), KEPT)
    assert has_missed(limits)
    assert {"server p50 - (tokenise + forward + decode), ms", "server / blog, answers/s at 32"} < {
        *_missed(limits)
    }


@pytest.mark.parametrize(
    "kept",
    [
        Kept(n_answers=6, n_rows=5, n_without_id=0),
        Kept(n_answers=6, n_rows=7, n_without_id=0),
        Kept(n_answers=6, n_rows=6, n_without_id=1),
    ],
)
def test_a_lost_row_a_row_too_many_or_an_answer_without_an_id_is_missed(kept: Kept) -> None:
    assert has_missed(verdict.limits_of([a_raw()], _cells(), kept))


def test_an_error_or_another_label_of_the_server_is_missed() -> None:
    failing = a_cell(SERVER, a_load(clients=8, n_errors=1), number=2)
    odd = a_cell(SERVER, a_load(clients=8, n_unexpected=50), number=2)
    for cell in (failing, odd):
        assert has_missed(verdict.limits_of([a_raw()], [*_cells(), cell], KEPT))


def test_the_peers_errors_are_the_peers() -> None:
    peer = a_cell(BLOG, a_load(clients=8, n_errors=5, n_unexpected=50), number=2)
    assert not has_missed(verdict.limits_of([a_raw()], [*_cells(), peer], KEPT))


def test_the_oracle_is_the_best_of_the_rounds_medians() -> None:
    raws = [a_raw(rates=rates) for rates in ((100, 900), (150, 200), (160, 210))]
    assert [row.per_s for row in verdict.oracle_rows(raws)] == [150, 210]
    assert verdict.best(verdict.oracle_rows(raws)).per_s == 210


def test_what_was_not_measured_meets_nothing() -> None:
    for is_floor in (True, False):
        limit = Limit(name="x", value=math.nan, bound=1, is_floor=is_floor)
        assert has_missed([limit])
        assert "MISSED" in limit.sentence()


def test_a_goal_never_fails_a_run() -> None:
    goal = Limit(name="x", value=2, bound=1, is_floor=False, is_required=False)
    assert not has_missed([goal])
    assert "goal not reached" in goal.sentence()


def test_the_report_for_people_names_every_figure() -> None:
    cells = _cells(n_rounds=2)
    raws = [a_raw(), a_raw()]
    limits = verdict.limits_of(raws, cells, KEPT)
    text = "\n".join(verdict.describe(raws, cells, STAGES, KEPT, summarise(cells), limits))
    for part in ("the oracle: 200.0", "inference 4.00", "6 rows", "180.0", *_missed(limits)):
        assert part in text


def test_summaries_are_medians_over_rounds_and_errors_sums() -> None:
    cells = [
        a_cell(SERVER, a_load(p50_ms=p50_ms, n_errors=1), number=number)
        for number, p50_ms in enumerate((3.0, 9.0, 4.0))
    ]
    (row,) = summarise(cells)
    assert (row.p50_ms, row.n_errors) == (4.0, 3)
    assert find([row], SERVER, 1) == row


def test_cpu_time_that_cannot_be_shared_out_is_shown_as_unknown() -> None:
    cell = msgspec.structs.replace(a_cell("admin", a_load()), cpu_ms=math.nan)
    assert table(summarise([cell]))[1].split()[-3] == "-"


def test_interference_is_told_as_ratios() -> None:
    cells = [a_cell(PREDICT, a_load(clients=n)) for n in (8, 32)]
    cells.append(a_cell(ADMIN, a_load(clients=ADMIN_CLIENTS)))
    for n in (8, 32):
        cells.append(a_cell(told_beside(PREDICT, "4 admin"), a_load(clients=n, p50_ms=10)))
        cells.append(a_cell(told_beside(ADMIN, f"{n} predict"), a_load(clients=4, per_s=50)))
    lines = ratios(summarise(cells))
    assert len(lines) == 4
    assert "p50 x 2.00, p99 x 2.00, answers/s x 1.00" in lines[0]
    assert "p50 x 1.00, p99 x 1.00, answers/s x 0.50" in lines[2]


def test_layers_are_compared_by_cpu_time() -> None:
    cells = [
        msgspec.structs.replace(
            a_cell(layer.title, a_load(clients=LAYER_CLIENTS[-1])),
            cpu_ms=6.0 if "ASGI" in layer.title else 2.0,
        )
        for layer in LAYERS
    ]
    lines = layer_ratios(summarise(cells))
    assert "recording adds 0.000 ms" in lines[0]
    assert lines[2].endswith("= 3.00")
