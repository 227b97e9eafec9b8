"""Reports of replicas, and the commit they agree on."""

from datetime import timedelta

import pytest
from django.utils import timezone

from registry import queries, services
from registry.deployment import load_deployment
from registry.errors import ModelNotFound, RevisionNotFound, VersionDamaged, VersionNotRoutable
from registry.models import Blob, Event, RegisteredModel, Replica
from registry.services.swaps import (
    check_stageable,
    commit_if_prepared,
    forget_replica,
    promote_revision,
    report_replica,
    retry_swap,
)
from registry.specs import EventKind

MODEL = "team/tiny"


def generation() -> int:
    return RegisteredModel.objects.get().routes_generation


def report(name: str, prepared: int, applied: int = 0, failed: int = 0, reason: str = "") -> dict:
    state = {"prepared": prepared, "applied": applied, "failed": failed, "reason": reason}
    states = {MODEL: state | {"versions": []}}
    return report_replica(name, is_ready=True, rss_bytes=1, states=states)


def silence(name: str, seconds: float) -> None:
    at = timezone.now() - timedelta(seconds=seconds)
    Replica.objects.filter(id=name).update(heartbeat_at=at)


@pytest.fixture
def promoted(register):
    for seed in (1, 2):
        register(seed)
    services.promote(MODEL, 1, actor="alice")
    return generation()


def committed() -> list[int]:
    routes = queries.load_desired_state().models[MODEL].committed
    return [route.version.number for route in routes]


def test_promoted_is_not_committed(promoted):
    assert committed() == []
    assert not commit_if_prepared(MODEL)
    assert load_deployment(MODEL).state == "preparing"


def test_the_last_to_be_prepared_commits_for_all(promoted):
    before = queries.load_generation()
    report("a", promoted)
    report("b", promoted - 1)
    assert not commit_if_prepared(MODEL)
    report("b", promoted)
    assert commit_if_prepared(MODEL)
    assert committed() == [1]
    assert queries.load_generation() == before + 1
    assert generation() == promoted


def test_a_commit_happens_once_and_says_how_long_it_took(promoted):
    report("a", promoted)
    assert [commit_if_prepared(MODEL) for _ in range(3)] == [True, False, False]
    (event,) = Event.objects.filter(kind=EventKind.SWAPPED)
    assert event.details["generation"] == promoted
    assert event.details["requested_by"] == "alice"
    assert event.details["replicas"] == ["a"]
    assert 0 <= event.details["seconds"] < 10
    assert (event.from_number, event.to_number) == (None, 1)


def test_replicas_go_on_with_what_is_committed_while_the_next_is_prepared(promoted):
    report("a", promoted)
    commit_if_prepared(MODEL)
    services.promote(MODEL, 2, actor="alice")
    assert committed() == [1]
    report("a", generation())
    assert commit_if_prepared(MODEL)
    assert committed() == [2]
    event = Event.objects.filter(kind=EventKind.SWAPPED).latest("id")
    assert (event.from_number, event.to_number) == (1, 2)


def test_a_replica_that_cannot_keeps_the_old_version_for_all_and_is_told_once(promoted):
    report("a", promoted)
    commit_if_prepared(MODEL)
    services.promote(MODEL, 2, actor="alice")
    report("a", generation())
    report("b", promoted, failed=generation(), reason="v2: golden_failed: case 0")
    assert not commit_if_prepared(MODEL)
    assert not commit_if_prepared(MODEL)
    (event,) = Event.objects.filter(kind=EventKind.SWAP_FAILED)
    assert event.reason == "b: v2: golden_failed: case 0"
    forget_replica("b")
    assert not commit_if_prepared(MODEL)
    deployment = load_deployment(MODEL)
    assert (deployment.state, deployment.reason) == ("failed", event.reason)
    assert committed() == [1]


def test_a_retry_asks_for_the_same_routes_anew(promoted):
    report("a", promoted, failed=promoted, reason="v1: load_failed")
    commit_if_prepared(MODEL)
    assert load_deployment(MODEL).state == "failed"
    again = retry_swap(MODEL, actor="alice", reason="disk mended")
    assert again > promoted
    assert load_deployment(MODEL).state == "preparing"
    report("a", again)
    assert commit_if_prepared(MODEL)
    assert committed() == [1]


def test_a_retry_of_committed_routes_keeps_them_committed(promoted):
    report("a", promoted)
    commit_if_prepared(MODEL)
    again = retry_swap(MODEL, actor="alice")
    deployment = load_deployment(MODEL)
    assert (deployment.generation, deployment.committed_generation) == (again, again)
    assert deployment.state == "committed"
    assert committed() == [1]


def test_a_silent_replica_is_not_waited_for_and_shows_as_a_laggard(promoted):
    report("a", promoted)
    report("b", promoted - 1)
    silence("b", 6)
    assert commit_if_prepared(MODEL)
    report("a", promoted, applied=promoted)
    deployment = load_deployment(MODEL)
    assert (deployment.has_converged, deployment.laggards) == (False, ("b",))
    forget_replica("b")
    assert load_deployment(MODEL).has_converged


def test_a_slow_replica_is_left_behind_after_the_deadline(promoted, settings):
    settings.BELLWETHER_SWAP_DEADLINE_S = 0.0
    report("a", promoted)
    report("b", promoted - 1)
    assert commit_if_prepared(MODEL)
    event = Event.objects.get(kind=EventKind.SWAPPED)
    assert event.details["left_behind"] == ["b"]


def test_replicas_long_silent_are_forgotten(promoted):
    report("a", promoted)
    silence("a", 60)
    report("b", promoted)
    assert [row.id for row in Replica.objects.all()] == ["b"]


def test_a_report_is_answered_with_what_is_committed(promoted):
    report("a", promoted)
    commit_if_prepared(MODEL)
    assert report("a", promoted) == {MODEL: promoted}


def test_nothing_that_serves_means_not_converged(promoted):
    assert not load_deployment(MODEL).has_converged
    with pytest.raises(ModelNotFound):
        load_deployment("team/nobody")


def test_files_are_hashed_once_before_they_are_loaded(register):
    spec = register()
    assert check_stageable(MODEL, spec.number)["verified"] == "hashes"
    assert Blob.objects.filter(verified_at__isnull=True).count() == 0
    assert check_stageable(MODEL, spec.number)["verified"] == "sizes"


def test_a_flipped_byte_is_found_before_the_version_is_loaded(register, store):
    spec = register()
    weights = spec.view / "model.safetensors"
    weights.chmod(0o644)
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(VersionDamaged):
        check_stageable(MODEL, spec.number)
    with pytest.raises(VersionDamaged):
        services.promote(MODEL, spec.number, actor="alice")


def test_a_view_that_lacks_a_file_is_not_loaded(register):
    spec = register()
    spec.view.chmod(0o755)
    (spec.view / "config.json").unlink()
    with pytest.raises(VersionNotRoutable):
        check_stageable(MODEL, spec.number)


@pytest.mark.parametrize("revision", ["2", "v2"])
def test_a_version_can_be_promoted_by_any_of_its_names(register, revision):
    for seed in (1, 2):
        register(seed)
    assert promote_revision(MODEL, revision, actor="alice").number == 2


def test_only_versions_can_be_promoted(register):
    register()
    with pytest.raises(RevisionNotFound):
        promote_revision(MODEL, "v9", actor="alice")
    with pytest.raises(RevisionNotFound):
        promote_revision(MODEL, "/srv/models", actor="alice")
