"""A rollout over its life: steps, evidence, and who is allowed to change routes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from monitoring.errors import InvalidRollout, RolloutConflict
from monitoring.models import Alert, Rollout, RolloutEvent, RolloutState
from monitoring.rollouts import services as rollouts
from registry import queries, services
from registry.errors import VersionNotRoutable
from registry.models import Event
from registry.routes import WantedRoute, live_of
from registry.specs import RouteMode
from tests.monitoring.rollouts.conftest import Traffic

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
QUICK = {"min_step_s": 60, "max_step_s": 3600, "min_requests": 20, "bake_s": 120}


def weights(model: str) -> dict[int, int]:
    return {route.version: route.weight for route in live_of(services.load_routes(model))}


def watch(
    rollout: Rollout, traffic: Traffic, *, minutes: int, n: int = 120, **candidate: float
) -> Rollout:
    """Minutes of traffic by the present weights, each ending with a look."""
    for minute in range(1, minutes + 1):
        at = rollout.created_at + timedelta(minutes=minute)
        shares = weights(rollout.model)
        traffic(1, n * shares.get(1, 0) // 100, at)
        traffic(2, n * shares.get(2, 0) // 100, at, **candidate)
        rollouts.analyse_open(at)
        rollout.refresh_from_db()
        if rollout.state != RolloutState.RUNNING:
            break
    return rollout


@pytest.fixture
def begin(model: str, traffic: Traffic) -> Callable[..., Rollout]:
    """Start a rollout of version 2 beside a version 1 that has a past."""
    traffic(1, 300, NOW - timedelta(minutes=5))

    def start(steps: tuple[int, ...] = (50, 100), **options: object) -> Rollout:
        return rollouts.start(
            model, 2, steps=steps, options=QUICK | options, actor="alice", now=NOW
        )

    return start


def test_a_good_candidate_is_promoted_step_by_step_and_baked(begin, traffic, model):
    rollout = begin(steps=(20, 50, 100))
    assert weights(model) == {1: 80, 2: 20}
    rollout = watch(rollout, traffic, minutes=60)
    assert rollout.state == RolloutState.BAKING
    assert weights(model) == {2: 100}
    rollouts.analyse_open(rollout.bake_until)
    rollout.refresh_from_db()
    assert rollout.state == RolloutState.PROMOTED
    decisions = list(RolloutEvent.objects.order_by("id").values_list("decision", "weight"))
    assert decisions == [
        ("start", 20),
        ("advance", 50),
        ("advance", 100),
        ("promoted", 100),
    ]


@pytest.mark.parametrize(
    ("worse", "metric"),
    [
        ({"failing": 0.15}, "errors"),
        ({"seconds": 0.012}, "latency"),
        ({"positive": 0.95}, "labels"),
    ],
)
def test_a_bad_candidate_loses_its_traffic_and_is_rejected_with_the_evidence(
    begin, traffic, model, worse, metric
):
    rollout = watch(begin(), traffic, minutes=60, **worse)
    assert rollout.state == RolloutState.ABORTED
    assert rollout.reason.startswith(metric)
    assert weights(model) == {1: 100}
    event = Event.objects.order_by("-id").first()
    assert event.kind == "rejected"
    assert any(name.startswith(metric) for name in event.details["evidence"])
    with pytest.raises(VersionNotRoutable, match="rejected"):
        services.promote(model, 2, actor="alice")
    services.reinstate(model, 2, actor="alice", reason="fixed the load balancer")
    services.promote(model, 2, actor="alice")
    assert weights(model) == {2: 100}


def test_too_little_traffic_holds_and_then_pauses(begin, traffic, model):
    rollout = watch(begin(max_step_s=300), traffic, minutes=4, n=2)
    assert rollout.state == RolloutState.RUNNING
    rollout = watch(rollout, traffic, minutes=6, n=2)
    assert rollout.state == RolloutState.PAUSED
    assert "Inconclusive" in rollout.reason
    assert weights(model) == {1: 50, 2: 50}
    resumed = rollouts.resume(rollout.id, actor="alice", now=NOW + timedelta(minutes=30))
    assert resumed.state == RolloutState.RUNNING


def test_routes_changed_by_hand_pause_it_and_stay(begin, traffic, model):
    rollout = begin()
    by_hand = [WantedRoute(1, RouteMode.LIVE, 90), WantedRoute(2, RouteMode.LIVE, 10)]
    services.set_routes(model, by_hand, actor="bob")
    rollout = watch(rollout, traffic, minutes=2)
    assert rollout.state == RolloutState.PAUSED
    assert weights(model) == {1: 90, 2: 10}
    rollouts.resume(rollout.id, actor="alice", now=NOW)
    assert weights(model) == {1: 50, 2: 50}


def test_a_version_deleted_under_it_pauses_it_and_harms_no_other(begin, traffic, model):
    rollout = begin()
    Rollout.objects.filter(id=rollout.id).update(model="team/gone")
    assert rollouts.analyse_open(NOW + timedelta(minutes=1)) == 1
    rollout.refresh_from_db()
    assert (rollout.state, rollout.reason[:15]) == (RolloutState.PAUSED, "model_not_found")


def test_one_rollout_a_model(begin):
    begin()
    with pytest.raises(RolloutConflict):
        begin()


def test_a_rollout_that_cannot_start_changes_no_route(model, traffic):
    for candidate, options, steps in (
        (1, {}, (50, 100)),
        (2, {"alpha": 7}, (50, 100)),
        (2, {"nonsense": 1}, (50, 100)),
        (2, {}, (50, 20, 100)),
        (2, {}, (50,)),
    ):
        with pytest.raises(InvalidRollout):
            rollouts.start(model, candidate, steps=steps, options=options, actor="a", now=NOW)
    assert weights(model) == {1: 100}
    assert not Rollout.objects.exists()


@pytest.mark.parametrize("rolls_back", [True, False])
def test_a_critical_alert_while_baking_rolls_back_only_where_that_was_asked(
    begin, traffic, model, rolls_back
):
    rollout = begin(steps=(100,), rolls_back=rolls_back)
    assert rollout.state == RolloutState.BAKING
    later = NOW + timedelta(seconds=30)
    Alert.objects.create(
        model=model,
        version=2,
        kind="quality",
        state="firing",
        severity="critical",
        summary="F1 fell",
        opened_at=later,
        seen_at=later,
        fired_at=later,
    )
    rollouts.analyse_open(later)
    rollout.refresh_from_db()
    if rolls_back:
        assert rollout.state == RolloutState.ABORTED
        assert weights(model) == {1: 100}
    else:
        assert rollout.state == RolloutState.BAKING
        assert weights(model) == {2: 100}


def test_people_can_pause_promote_and_abort(begin, model):
    rollout = begin()
    rollouts.pause(rollout.id, reason="lunch", actor="alice", now=NOW)
    with pytest.raises(RolloutConflict):
        rollouts.pause(rollout.id, reason="again", actor="alice", now=NOW)
    assert rollouts.promote(rollout.id, actor="alice", now=NOW).state == RolloutState.BAKING
    assert queries.load_live_version(model).number == 2
    aborted = rollouts.abort(rollout.id, reason="we saw it", actor="alice", now=NOW)
    assert aborted.state == RolloutState.ABORTED
    assert weights(model) == {1: 100}


def test_cancelling_leaves_routes_and_version_as_they_are(begin, model):
    rollout = begin()
    rollouts.cancel(rollout.id, actor="alice", now=NOW)
    assert weights(model) == {1: 50, 2: 50}
    services.promote(model, 2, actor="alice")
