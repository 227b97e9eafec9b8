"""The screen says what happens, on narrow and wide terminals, with and without colour."""

from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.console import Console

from config.demo.board import F1, Board, Verdict
from config.demo.script import ACTS
from config.demo.view import LiveView, PlainView, draw


@pytest.fixture
def board() -> Board:
    made = Board(
        addresses={"model": "http://127.0.0.1:8000/admin/models/demo/sentiment/"},
        n_acts=4,
        began_at=datetime(2026, 11, 21, 12, 0, tzinfo=UTC),
    )
    made.act, made.number, made.n_sent, made.n_total = ACTS[1], 2, 300, 1500
    made.rate, made.elapsed_s = 27.4, 51.0
    made.rates.extend([10.0, 20.0, 27.4])
    made.f1 = F1(0.951, 0.93, 0.968, 300)
    made.verdicts = (
        Verdict("drift by count", "DRIFT", "Drift of inputs [mean], p = 2e-300."),
        Verdict("quality", "", ""),
    )
    made.firing = ("drift (info)",)
    made.note("fires", "drift (info): Drift of inputs [mean].", 47.0)
    return made


def drawn(board: Board, width: int) -> str:
    console = Console(file=StringIO(), width=width, height=48)
    console.print(draw(board, console.height))
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [80, 130])
def test_the_screen_has_all_that_matters(board: Board, width: int) -> None:
    shown = drawn(board, width)
    for wanted in (
        "2 of 4  Another kind of text",
        "0.951 (0.930 to 0.968) by 300 labels",
        "27 a second",
        "drift by count  DRIFT",
        "Drift of inputs [mean]",
        "quality         waiting",
        "drift (info)",
        "0:47",
        "/admin/models/demo/sentiment/",
    ):
        assert wanted in shown
    assert max(map(len, shown.splitlines())) <= width


def test_before_the_first_look_nothing_is_made_up() -> None:
    empty = Board(addresses={}, n_acts=4, began_at=datetime(2026, 11, 21, tzinfo=UTC))
    shown = drawn(empty, 80)
    assert "unknown (0 labels)" in shown
    assert "none fires" in shown


def test_a_live_view_leaves_its_last_picture(board: Board) -> None:
    console = Console(file=StringIO(), width=100, height=48, force_terminal=True)
    with LiveView(board, console) as view:
        view.hear(board.lines[0])
        view.refresh()
    assert "what happened" in console.file.getvalue()  # type: ignore[attr-defined]


def test_without_a_terminal_each_event_is_a_line_and_the_state_comes_now_and_then(
    board: Board,
) -> None:
    written: list[str] = []
    with PlainView(board, written.append) as view:
        view.hear(board.lines[0])
        view.refresh()
        view.refresh()
    assert written == [
        "0:47  fires     drift (info): Drift of inputs [mean].",
        "0:51  status    1500 texts, 27/s, F1 0.951 (0.930 to 0.968) by 300 labels; "
        "firing: drift (info)",
    ]
