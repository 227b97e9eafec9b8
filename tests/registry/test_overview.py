"""Facts of many models at once, in a number of queries that does not grow."""

from datetime import timedelta

import pytest
from django.utils import timezone

from registry import overview
from registry.deployment import load_deployment
from registry.models import Operation, RegisteredModel, Replica
from registry.services import promote
from registry.specs import EventKind, OperationState, RouteMode
from tests.registry.events import append_event

pytestmark = pytest.mark.django_db


def test_names_come_with_the_version_that_answers(register) -> None:
    register(0, "team/b")
    register(1, "team/a")
    promote("team/a", 1, actor="alice")
    assert overview.load_names() == (
        overview.NamedModel(name="team/a", live=1),
        overview.NamedModel(name="team/b", live=None),
    )
    assert [each.name for each in overview.load_names("M/B")] == ["team/b"]


def test_an_overview_has_routes_versions_and_the_state_of_a_deployment(register) -> None:
    register(0)
    register(1)
    promote("team/tiny", 1, actor="alice")
    found = overview.load_overviews(["team/tiny", "team/none"])
    assert list(found) == ["team/tiny"]
    one = found["team/tiny"]
    assert (one.n_versions, one.newest) == (2, 2)
    assert one.routes == (overview.RoutedVersion(number=1, mode=RouteMode.LIVE, weight=100),)
    deployment = load_deployment("team/tiny")
    assert (one.state, one.reason) == (deployment.state, deployment.reason)


@pytest.mark.parametrize("how", ["preparing", "told by an event", "told by a replica"])
def test_a_change_that_is_not_committed_is_told_as_of_one_model(register, how: str) -> None:
    register(0)
    row = RegisteredModel.objects.get()
    row.routes_generation, row.committed_generation = 7, 6
    row.save()
    if how == "told by an event":
        for generation, reason in ((7, "too large"), (3, "of before")):
            append_event(
                model=row,
                kind=EventKind.SWAP_FAILED,
                reason=reason,
                details={"generation": generation},
                actor="alice",
            )
    elif how == "told by a replica":
        Replica.objects.create(id="box", states={"team/tiny": {"failed": 7, "reason": "no memory"}})
    one, deployment = overview.load_overviews(["team/tiny"])["team/tiny"], load_deployment(str(row))
    assert (one.state, one.reason) == (deployment.state, deployment.reason)
    assert one.state == ("preparing" if how == "preparing" else "failed")


def test_the_number_of_queries_does_not_grow(register, django_assert_max_num_queries) -> None:
    for i in range(6):
        model = RegisteredModel.objects.create(namespace="team", name=f"m{i}")
        model.routes_generation = 1
        model.save()
    with django_assert_max_num_queries(4):
        assert len(overview.load_overviews([f"team/m{i}" for i in range(6)])) == 6


def test_replicas_are_those_that_were_heard_of_lately() -> None:
    now = timezone.now()
    for id, age_s in (("fresh", 0), ("silent", 12), ("gone", 300)):
        Replica.objects.create(id=id, is_ready=True, heartbeat_at=now - timedelta(seconds=age_s))
    found = {replica.id: replica.is_alive for replica in overview.load_replicas()}
    assert found == {"fresh": True, "silent": False}


def test_operations_that_wait_or_run_are_counted() -> None:
    for state in OperationState:
        Operation.objects.create(kind="verify", title=state, state=state, actor="alice")
    assert overview.count_unfinished_operations() == 2
