"""A rejected version gets no traffic until somebody says why it may."""

import pytest

from registry import services
from registry.errors import InvalidField, NothingToRollBack, VersionIsLive, VersionNotRoutable
from registry.models import Event, Version
from registry.routes import WantedRoute
from registry.specs import EventKind, RouteMode

NAME = "team/tiny"

pytestmark = pytest.mark.django_db


@pytest.fixture
def two(register):
    """Version 1 is live, version 2 is rejected."""
    register(1)
    register(2)
    services.promote(NAME, 1, actor="alice")
    services.reject(NAME, 2, actor="rollout", reason="slower", details={"e": 1e3})


def test_it_can_be_routed_in_no_way(two):
    with pytest.raises(VersionNotRoutable, match="slower"):
        services.promote(NAME, 2, actor="alice")
    canary = [WantedRoute(1, RouteMode.LIVE, 90), WantedRoute(2, RouteMode.LIVE, 10)]
    with pytest.raises(VersionNotRoutable, match="reinstate"):
        services.set_routes(NAME, canary, actor="alice")


def test_rolling_back_passes_it_over(register):
    for seed in (1, 2):
        register(seed)
        services.promote(NAME, seed, actor="alice")
    services.reject(NAME, 1, actor="alice", reason="wrong")
    with pytest.raises(NothingToRollBack):
        services.rollback(NAME, actor="alice")


def test_the_evidence_is_in_the_audit_log_once(two):
    services.reject(NAME, 2, actor="rollout", reason="slower still")
    [event] = Event.objects.filter(kind=EventKind.REJECTED)
    assert (event.number, event.reason, event.details) == (2, "slower", {"e": 1e3})


def test_reinstating_says_why_and_lets_it_serve(two):
    with pytest.raises(InvalidField, match="reason"):
        services.reinstate(NAME, 2, actor="alice", reason=" ")
    services.reinstate(NAME, 2, actor="alice", reason="the disk was slow")
    services.promote(NAME, 2, actor="alice")
    [event] = Event.objects.filter(kind=EventKind.REINSTATED)
    assert event.details == {"rejection": "slower"}


def test_a_routed_version_is_not_rejected_and_a_reason_is_needed(two):
    with pytest.raises(VersionIsLive):
        services.reject(NAME, 1, actor="alice", reason="bad")
    with pytest.raises(InvalidField):
        services.reject(NAME, 2, actor="alice", reason="")


def test_verifying_does_not_clear_it(two):
    services.verify(NAME, 2, actor="alice")
    assert Version.objects.get(number=2).rejection == "slower"
