"""What people see of the play: a live screen, or plain lines where there is no terminal."""

from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from config.demo.board import F1, Board, Line

FRAMES_A_SECOND = 4
STATUS_EVERY_S = 10.0
MOST_LINES = 12
_BARS = "▁▂▃▄▅▆▇█"
_STYLES = {
    "act": "bold",
    "done": "dim",
    "fires": "bold red",
    "rises": "bold red",
    "resolves": "bold green",
}
_VERDICTS = {"OK": "green", "DRIFT": "red", "DEGRADED": "red", "INSUFFICIENT_DATA": "yellow"}


class View(Protocol):
    """Where the play is shown. `say` is for what comes before and after it."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def hear(self, line: Line) -> None: ...

    def refresh(self) -> None: ...


class PlainView:
    """A line for each thing that happens, and how it stands every ten seconds."""

    def __init__(self, board: Board, write: Callable[[str], object]) -> None:
        self._board, self._write = board, write
        self._told_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def hear(self, line: Line) -> None:
        self._write(f"{clock(line.at_s)}  {line.kind:<8}  {line.text}")

    def refresh(self) -> None:
        board = self._board
        if board.elapsed_s - self._told_at < STATUS_EVERY_S:
            return
        self._told_at = board.elapsed_s
        firing = ", ".join(board.firing) or "nothing"
        self._write(
            f"{clock(board.elapsed_s)}  {'status':<8}  {board.n_total} texts, "
            f"{board.rate:.0f}/s, F1 {show_f1(board.f1)}; firing: {firing}"
        )


class LiveView:
    """One screen, drawn anew four times a second; it stays when the play ends."""

    def __init__(self, board: Board, console: Console) -> None:
        self._board = board
        self._live = Live(
            console=console,
            refresh_per_second=FRAMES_A_SECOND,
            get_renderable=lambda: draw(board, console.height),
            vertical_overflow="crop",
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def hear(self, line: Line) -> None:
        return None

    def refresh(self) -> None:
        return None


def draw(board: Board, height: int = 40) -> RenderableType:
    """The whole screen."""
    n_lines = max(4, min(MOST_LINES, height - 24))
    return Group(
        Panel(_acts(board), title="Bellwether: the demo", title_align="left"),
        Panel(_numbers(board), title="now", title_align="left"),
        Panel(_events(board, n_lines), title="what happened", title_align="left"),
        Panel(_addresses(board), title="open in a browser", title_align="left"),
    )


def clock(seconds: float) -> str:
    """Minutes and seconds since the play began.

    >>> clock(75.4)
    '1:15'
    """
    minutes, rest = divmod(max(0, int(seconds)), 60)
    return f"{minutes}:{rest:02d}"


def show_f1(f1: F1) -> str:
    """F1 with its interval, in words where there is none.

    >>> show_f1(F1(0.951, 0.93, 0.968, 300))
    '0.951 (0.930 to 0.968) by 300 labels'
    """
    if f1.value is None or f1.low is None or f1.high is None:
        return f"unknown ({f1.n} labels)"
    return f"{f1.value:.3f} ({f1.low:.3f} to {f1.high:.3f}) by {f1.n} labels"


def spark(values: list[float]) -> str:
    """A line of bars, the highest as high as a letter.

    >>> spark([0, 5, 10])
    '▁▄█'
    """
    top = max(values, default=0.0) or 1.0
    return "".join(_BARS[round((len(_BARS) - 1) * value / top)] for value in values)


def _acts(board: Board) -> RenderableType:
    act = board.act
    grid = _grid()
    turn = f", round {board.turn}" if board.turn > 1 else ""
    title = f"{board.number} of {board.n_acts}  {act.title}" if act and board.number else "…"
    if act and not board.number:
        title = act.title
    grid.add_row("act", Text(title + turn, style="bold"))
    grid.add_row("shows", act.shows if act else "")
    grid.add_row("sends", act.stream.value if act else "")
    grid.add_row("until", act.wanted.value if act else "")
    done = min(board.n_sent, act.n) if act else 0
    grid.add_row("", ProgressBar(total=act.n if act else 1, completed=done, width=50))
    return grid


def _numbers(board: Board) -> RenderableType:
    grid = _grid()
    bars = spark(list(board.rates))
    grid.add_row("time", f"{clock(board.elapsed_s)}, {board.n_total} texts")
    grid.add_row("traffic", Text.assemble(f"{board.rate:3.0f} a second  ", (bars, "cyan")))
    grid.add_row("F1", show_f1(board.f1))
    for each in board.verdicts:
        style = _VERDICTS.get(each.verdict, "dim")
        said = Text.assemble((each.verdict or "waiting", style), f"  {each.summary or ''}")
        said.truncate(300)
        grid.add_row(each.monitor, Text(said.plain, spans=said.spans, no_wrap=True))
    firing = ", ".join(board.firing)
    grid.add_row("alerts", Text(firing or "none fires", style="bold red" if firing else "green"))
    return grid


def _events(board: Board, n: int) -> RenderableType:
    grid = _grid()
    for line in list(board.lines)[-n:]:
        style = _STYLES.get(line.kind, "")
        text = Text.assemble((f"{line.kind:<9}", style), line.text)
        text.no_wrap, text.overflow = True, "ellipsis"
        grid.add_row(clock(line.at_s), text)
    return grid


def _addresses(board: Board) -> RenderableType:
    grid = _grid()
    for name, address in board.addresses.items():
        grid.add_row(name, Text(address, no_wrap=True, overflow="ignore"))
    return grid


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(min_width=14, style="dim")
    grid.add_column(ratio=1)
    return grid
