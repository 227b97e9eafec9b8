"""Inference endpoints through the Hub's own client, against a service on this machine."""

import io
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from registry.errors import (
    EndpointNotFound,
    EndpointNotRunning,
    EndpointRefused,
    EndpointUnavailable,
    EndpointUnusable,
    InvalidField,
)
from registry.models import Operation, Version
from registry.remote.endpoints import EndpointPlan, EndpointSpec, open_endpoints
from registry.remote.facts import parse_remote
from registry.services import operations
from registry.services.endpoints import describe_act
from registry.services.remote import register_endpoint
from registry.specs import OperationKind, OperationState
from tests.registry.fake_endpoint import Asked, FakeEndpoint, fake_endpoint
from tests.registry.fake_service import TOKEN, FakeService, fake_service

PLAN = EndpointPlan(repository="team/tiny", revision="c0ffee", region="eu-west-1")


def behave(asked: Asked) -> None:
    if asked.path.endswith("/health"):
        asked.answer({"ok": True})
    else:
        asked.classify()


@pytest.fixture
def far() -> Any:
    with fake_endpoint(behave) as made:
        yield made


@pytest.fixture
def service(far: FakeEndpoint, settings: Any, db: None) -> Any:
    with fake_service(far.url) as made:
        settings.BELLWETHER_ENDPOINTS_API = made.url
        settings.BELLWETHER_REMOTE_HOSTS = [far.host]
        settings.HF_TOKEN = TOKEN
        yield made


def create(service: FakeService, name: str = "far-1") -> EndpointSpec:
    return open_endpoints().create(name, "team", PLAN)


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("endpoint", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_creating_asks_for_what_the_plan_says(service: FakeService) -> None:
    made = create(service)
    assert (str(made), made.state, made.url) == ("team/far-1", "pending", "")
    ((method, path, body),) = service.asked
    assert (method, path) == ("POST", "/v2/endpoint/team")
    assert body["model"]["repository"] == "team/tiny"
    assert body["model"]["revision"] == "c0ffee"
    assert body["provider"] == {"region": "eu-west-1", "vendor": "aws"}
    assert body["compute"]["scaling"]["minReplica"] == 0
    assert body["type"] == "authenticated"


def test_waiting_tells_each_state_and_ends_when_it_answers(
    service: FakeService, far: FakeEndpoint
) -> None:
    create(service)
    seen: list[str] = []
    up = open_endpoints().wait(
        "far-1", "team", limit_s=10, every_s=0.01, on_state=lambda state, s: seen.append(state)
    )
    assert (up.state, up.url) == ("running", far.url)
    assert seen == ["initializing", "initializing", "running"]
    assert far.asked[-1].path == "/models/team/far/health"


def test_waiting_has_a_limit(service: FakeService) -> None:
    service.n_pending = 10_000
    create(service)
    with pytest.raises(EndpointNotRunning, match="still initializing after"):
        open_endpoints().wait("far-1", "team", limit_s=0.1, every_s=0.02)


def test_running_is_not_enough_while_it_fails_its_health_check(
    service: FakeService, far: FakeEndpoint
) -> None:
    far.say = lambda asked: asked.answer(b"", status="503 Loading")
    service.n_pending = 0
    create(service)
    with pytest.raises(EndpointNotRunning, match="still running after"):
        open_endpoints().wait("far-1", "team", limit_s=0.2, every_s=0.02)


@pytest.mark.parametrize("state", ["failed", "updateFailed", "paused"])
def test_waiting_ends_at_once_where_it_is_hopeless(service: FakeService, state: str) -> None:
    create(service)
    service.endpoints["team/far-1"]["status"]["state"] = state
    with pytest.raises(EndpointNotRunning, match=state):
        open_endpoints().wait("far-1", "team", limit_s=60)


def test_pause_resume_and_delete(service: FakeService) -> None:
    create(service)
    endpoints = open_endpoints()
    assert endpoints.pause("far-1", "team").state == "paused"
    assert endpoints.resume("far-1", "team").state == "pending"
    endpoints.delete("far-1", "team")
    with pytest.raises(EndpointNotFound):
        endpoints.get("far-1", "team")


FAILURES = {
    "a refusal": ((400, {"error": "No quota\nleft"}), EndpointRefused, "No quotaleft"),
    "a wrong token": ((403, {"error": "no"}), EndpointRefused, "HF_TOKEN"),
    "too many requests": ((429, {"error": "slow"}), EndpointUnavailable, "429"),
    "a crash": ((500, b"Traceback"), EndpointUnavailable, "500"),
    "HTML": ((200, b"<html>"), EndpointUnavailable, "unknown form"),
    "a list": ((200, []), EndpointUnavailable, "unknown form"),
    "an empty object": ((200, {}), EndpointUnavailable, "unknown form"),
    "a redirect": ((302, b""), EndpointUnavailable, "unknown form"),
}


@pytest.mark.parametrize(("reply", "error", "words"), FAILURES.values(), ids=FAILURES)
def test_what_the_service_says_becomes_an_error_of_ours(
    service: FakeService, reply: Any, error: type[Exception], words: str
) -> None:
    service.fails_with = reply
    with pytest.raises(error, match=words) as failed:
        open_endpoints().get("far-1", "team")
    assert TOKEN not in str(failed.value)


def test_a_service_that_is_away_is_unavailable(service: FakeService) -> None:
    service.stop()
    with pytest.raises(EndpointUnavailable):
        open_endpoints().get("far-1", "team")


def test_without_a_token_nothing_is_asked(service: FakeService, settings: Any) -> None:
    settings.HF_TOKEN = ""
    with pytest.raises(InvalidField, match="HF_TOKEN"):
        open_endpoints()
    assert service.asked == []


@pytest.mark.parametrize("name", ["", "a/b", "..", "-x", "x" * 65, "a b", "a?b"])
def test_a_name_cannot_lead_to_another_path(service: FakeService, name: str) -> None:
    with pytest.raises(InvalidField):
        open_endpoints().get(name, "team")
    with pytest.raises(InvalidField):
        open_endpoints().get("far-1", name)
    assert service.asked == []


def test_a_named_endpoint_becomes_a_version(service: FakeService, far: FakeEndpoint) -> None:
    service.n_pending = 0
    create(service)
    spec = register_endpoint("team/far", "far-1", namespace="team", actor="alice").version
    facts = parse_remote((spec.view / "remote.json").read_bytes())
    assert (facts.namespace, facts.endpoint, facts.url) == ("team", "far-1", far.url)
    assert dict(facts.serves) == {"repository": "team/tiny", "revision": "c0ffee"}
    assert Version.objects.get().source == "endpoint team/far-1"


def test_an_endpoint_without_an_address_cannot_be_registered(service: FakeService) -> None:
    create(service)
    with pytest.raises(EndpointNotRunning, match="no address yet"):
        register_endpoint("team/far", "far-1", namespace="team", actor="alice")


def test_an_endpoint_of_another_task_cannot_be_registered(service: FakeService) -> None:
    service.n_pending = 0
    create(service)
    service.endpoints["team/far-1"]["model"]["task"] = "text-generation"
    with pytest.raises(EndpointUnusable, match="text-generation"):
        register_endpoint("team/far", "far-1", namespace="team", actor="alice")


def test_an_address_that_the_service_gives_is_judged_too(
    service: FakeService, settings: Any
) -> None:
    service.n_pending = 0
    create(service)
    settings.BELLWETHER_REMOTE_HOSTS = []
    with pytest.raises(Exception, match="BELLWETHER_REMOTE_HOSTS"):
        register_endpoint("team/far", "far-1", namespace="team", actor="alice")


def test_the_command_creates_registers_and_deletes(service: FakeService, far: FakeEndpoint) -> None:
    service.n_pending = 0
    named = ("far-1", "--namespace", "team")
    assert "team/far-1: pending" in run("create", *named, "--repository", "team/tiny")
    assert "team/far-1: running" in run("wait", *named, "--wait", "5")
    assert f"address: {far.url}" in run("status", *named)
    assert "team/far version 1 (remote, labels BAD, GOOD)" in run(
        "register", "team/far", "--endpoint", "far-1", "--namespace", "team", "--promote"
    )
    assert "paused" in run("pause", *named)
    assert "running" in run("resume", *named, "--wait", "30")
    assert "deleted far-1" in run("delete", *named, "--yes")
    states = Operation.objects.values_list("kind", "state").distinct()
    assert set(states) == {(OperationKind.ENDPOINT, OperationState.DONE)}
    assert TOKEN not in str(list(Operation.objects.values()))


def test_the_command_tells_a_failure_in_a_sentence_and_its_operation_keeps_the_code(
    service: FakeService,
) -> None:
    with pytest.raises(CommandError, match="Region the-moon"):
        run("create", "x", "--namespace", "team", "--repository", "a/b", "--region", "the-moon")
    row = Operation.objects.get()
    assert (row.state, row.error_code) == (OperationState.FAILED, "endpoint_refused")


def test_the_command_registers_an_address(service: FakeService, far: FakeEndpoint) -> None:
    said = run("register", "team/far", "--url", far.url, "--labels", "GOOD", "BAD")
    assert "version 1 (remote, labels GOOD, BAD)" in said


def test_deleting_asks_first(service: FakeService) -> None:
    create(service)
    with pytest.raises(CommandError):
        run("delete", "far-1", "--namespace", "team")
    assert "team/far-1" in service.endpoints


def test_an_act_is_worked_by_its_parameters(service: FakeService) -> None:
    create(service)
    title, parameters = describe_act("wait", "far-1", "team", limit_s=30)
    assert title == "wait endpoint team/far-1"
    service.n_pending = 0
    result = operations.work_inline(
        OperationKind.ENDPOINT, title, actor="alice", parameters=parameters
    )
    assert result["state"] == "running"
    row = Operation.objects.get()
    assert row.message == "the endpoint is running"


@pytest.mark.parametrize(
    ("act", "options"),
    [
        ("explode", {}),
        ("wait", {"limit_s": -1}),
        ("wait", {"limit_s": 1e9}),
        ("wait", {"limit_s": float("nan")}),
        ("pause", {"plan": PLAN}),
        ("create", {}),
    ],
)
def test_an_act_that_makes_no_sense_is_refused(act: str, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidField):
        describe_act(act, "far-1", "team", **options)
