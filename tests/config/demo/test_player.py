"""The player goes on when it is time, tells what happens once, and never waits for ever."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest

from config.demo.board import Board
from config.demo.player import Player
from config.demo.script import CALM, FAST, FULL, WATCHING, Script, monitor_changes, reference
from config.demo.service import DemoError, Told
from config.demo.texts import LABELS
from monitoring.evaluating.defaults import DEFAULTS
from monitoring.evaluating.plans import parse_plan
from tests.config.demo.stage import BEGAN, Clock, Stage, told

N_ACTS = [act.n for act in FAST.acts]


def player_on(decide: Callable[[Stage], Sequence[Told]], script: Script = FAST) -> Any:
    stage, clock = Stage(decide), Clock()
    board = Board(addresses={}, n_acts=len(script.acts), began_at=BEGAN)
    made = Player(
        stage,  # type: ignore[arg-type]
        script,
        board,
        hear=lambda line: None,
        refresh=lambda: None,
        clock=clock,
        sleep=clock.sleep,
    )
    return made, stage, clock


def as_written(stage: Stage) -> list[Told]:
    """Drift once messages came, until 100 reviews followed; quality once labels were wrong."""
    n = len(stage.texts)
    n_messages = sum(each.label is None for each in stage.texts)
    if not n_messages:
        return []
    drift_ends = None if n < N_ACTS[0] + n_messages + 100 else 30.0
    alerts = [told("drift", "1", at_s=10, ended_s=drift_ends)]
    if n >= N_ACTS[0] + n_messages + N_ACTS[2] - 50:
        quality_ends = None if n < N_ACTS[0] + n_messages + N_ACTS[2] + 200 else 50.0
        alerts.append(told("quality", "2", at_s=40, ended_s=quality_ends))
    return alerts


def test_a_play_as_written_ends_with_every_alert_told_once() -> None:
    player, stage, clock = player_on(as_written)
    player.play(1)
    told_lines = [(line.kind, line.text.split()[0]) for line in player.board.lines]
    events = [line for line in told_lines if line[0] in ("fires", "resolves")]
    assert events == [
        ("fires", "drift"),
        ("resolves", "drift"),
        ("fires", "quality"),
        ("resolves", "quality"),
    ]
    assert not player.surprises
    assert player.board.n_total == len(stage.texts) >= sum(N_ACTS)
    assert clock.now - 100 < 60


def test_texts_are_sent_at_the_act_s_pace() -> None:
    player, stage, clock = player_on(as_written)
    player.play(1)
    assert len(stage.texts) / (clock.now - 100) == pytest.approx(FAST.acts[0].pace, rel=0.1)


def test_labels_go_with_their_own_predictions() -> None:
    player, stage, _ = player_on(as_written)
    player.play(1)
    by_id = dict(stage.labels)
    assert len(by_id) == len(stage.labels)
    for number, text in enumerate(stage.texts):
        assert by_id.get(str(number)) == text.label


def test_a_wait_in_vain_ends_and_says_what_the_monitors_said() -> None:
    player, _, clock = player_on(lambda stage: [])
    with pytest.raises(DemoError, match=r"Act 2 waited 75 s .* as the stage says"):
        player.play(1)
    assert clock.now - 100 < N_ACTS[0] / 40 + N_ACTS[1] / 40 + FAST.longest_wait_s + 10


def test_the_first_act_waits_until_all_is_judged() -> None:
    player, stage, _ = player_on(as_written)
    stage.verdict = "INSUFFICIENT_DATA"
    with pytest.raises(DemoError, match="Act 1"):
        player.play(1)


def test_an_alert_while_all_is_well_is_a_surprise() -> None:
    early = told("latency", "9", at_s=1, ended_s=2)
    player, _, _ = player_on(lambda stage: [early, *as_written(stage)] if stage.texts else [])
    player.play(1)
    (surprise,) = player.surprises
    assert "latency" in surprise


def test_alerts_of_an_earlier_play_end_first_and_are_not_told_again() -> None:
    def decide(stage: Stage) -> list[Told]:
        old = told("drift", "0", at_s=-60, ended_s=None if len(stage.texts) < 200 else 5.0)
        return [old]

    player, _, _ = player_on(decide)
    with pytest.raises(DemoError, match="Act 2"):
        player.play(1)
    kinds = [line.kind for line in player.board.lines]
    assert player.board.lines[0].text == CALM.shows
    assert "fires" not in kinds
    assert kinds.count("resolves") == 1


def test_a_loop_plays_again_with_other_texts() -> None:
    class Enough(Exception):
        pass

    def decide(stage: Stage) -> list[Told]:
        if len(stage.texts) > sum(N_ACTS) + 300:
            raise Enough
        return as_written(stage)

    player, stage, _ = player_on(decide)
    with pytest.raises(Enough):
        player.play(1, is_loop=True)
    assert player.board.turn == 2
    texts = [each.text for each in stage.texts]
    assert texts[:100] != texts[-100:]


@pytest.mark.parametrize("script", [FULL, FAST], ids=["full", "fast"])
def test_every_change_is_one_that_a_default_monitor_takes(script: Script) -> None:
    plans = {plan.name: plan for plan in DEFAULTS}
    changes = monitor_changes(script)
    assert set(WATCHING) <= set(changes) <= set(plans)
    for name, change in changes.items():
        parse_plan(change, base=plans[name])


def test_the_reference_is_made_of_other_texts_than_the_acts() -> None:
    rows = reference(FULL.n_reference, 1)
    assert len(rows) == FULL.n_reference
    assert {row["label"] for row in rows} == set(LABELS)
    assert rows != reference(FULL.n_reference, 2)


def test_the_full_play_takes_about_two_minutes_and_thousands_of_texts() -> None:
    assert 90 <= sum(act.length_s for act in FULL.acts) <= 120
    assert 3000 <= sum(act.n for act in FULL.acts) <= 5000
    assert all(a.wanted is not b.wanted for a, b in pairwise(FULL.acts))
