"""When replicas may switch: together, without the dead, and not for ever waiting for the slow."""

from hypothesis import given
from hypothesis import strategies as st

from registry.convergence import ALIVE_S, Standing, Verdict, find_laggards, judge, read_standing

standings = st.lists(
    st.builds(
        Standing,
        st.text("abc", min_size=1, max_size=3),
        st.booleans(),
        prepared=st.integers(5, 7),
        applied=st.integers(5, 6),
        failed=st.sampled_from((0, 0, 0, 6, 7)),
    ),
    max_size=5,
)


def verdict(*replicas: Standing, waited_s: float = 1.0):
    return judge(7, replicas, waited_s=waited_s, deadline_s=120)


def ready(name: str = "a", *, is_alive: bool = True) -> Standing:
    return Standing(name, is_alive, prepared=7)


def slow(name: str = "b", *, is_alive: bool = True) -> Standing:
    return Standing(name, is_alive, prepared=6)


def test_all_are_waited_for():
    assert verdict(ready(), slow()).verdict is Verdict.WAIT
    assert verdict(ready("a"), ready("b")).verdict is Verdict.COMMIT


def test_the_dead_are_not_waited_for():
    assert verdict(ready(), slow(is_alive=False)).verdict is Verdict.COMMIT


def test_the_slow_are_left_behind_after_the_deadline():
    late = verdict(ready("a"), slow("b"), slow("c"), waited_s=120)
    assert (late.verdict, late.left) == (Verdict.COMMIT, ("b", "c"))


def test_nothing_is_committed_that_nobody_can_serve():
    assert verdict(waited_s=1e6).verdict is Verdict.WAIT
    assert verdict(slow(), waited_s=1e6).verdict is Verdict.WAIT
    assert verdict(ready(is_alive=False), waited_s=1e6).verdict is Verdict.WAIT


def test_one_that_cannot_keeps_all_from_it():
    broken = Standing("b", True, prepared=6, failed=7, reason="v2: golden_failed: case 0")
    judged = verdict(ready(), broken, waited_s=1e6)
    assert (judged.verdict, judged.reason) == (Verdict.FAIL, "b: v2: golden_failed: case 0")


def test_a_failure_of_earlier_routes_is_forgotten():
    assert verdict(Standing("a", True, prepared=7, failed=6)).verdict is Verdict.COMMIT


@given(standings, st.floats(0, 300))
def test_a_commit_has_one_that_serves_and_none_that_failed(replicas, waited_s):
    judged = judge(7, replicas, waited_s=waited_s, deadline_s=120)
    live = [each for each in replicas if each.is_alive]
    if judged.verdict is Verdict.COMMIT:
        assert any(each.prepared == 7 for each in live)
        assert not any(each.failed == 7 for each in live)
        assert waited_s >= 120 or all(each.prepared == 7 for each in live)


def test_laggards_are_those_that_answer_otherwise_silent_or_not():
    replicas = [Standing("a", True, applied=7), Standing("b", True, applied=6)]
    assert find_laggards(7, [*replicas, Standing("c", False, applied=6)]) == ("b", "c")


def test_a_report_that_says_nothing_of_a_model_stands_at_nothing():
    assert read_standing("a", None, 0.0) == Standing("a", True)
    assert not read_standing("a", {}, ALIVE_S + 1).is_alive
