"""A remote version in the engine: whose fault a failure is, and whom it holds up."""

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from inference.engine.engine import Answered, Engine
from inference.engine.limits import EngineLimits
from inference.errors import (
    DeadlineExceeded,
    InputFailed,
    RemoteInvalidAnswer,
    RemoteRefused,
    RemoteUnavailable,
)
from inference.predictor import Predictor
from inference.runtimes import loading, remote
from inference.tasks.inputs import Input, TextPair
from inference.tasks.remote_text_classification import RemoteParameters, RemoteTextClassification
from registry.errors import ContentRefused
from registry.remote.facts import REMOTE, build_remote
from registry.specs import Pooling, VersionKind, VersionSpec
from tests.inference.doubles import a_predictor
from tests.registry.fake_endpoint import Asked, FakeEndpoint, fake_endpoint

LABELS = ("BAD", "GOOD")
NEAR = EngineLimits(n_lanes=1, max_batch=8)
FAR = EngineLimits(n_lanes=2, max_batch=8, max_padding=0.99)


@pytest.fixture
def endpoint(settings: Any) -> Iterator[FakeEndpoint]:
    with fake_endpoint() as made:
        settings.BELLWETHER_REMOTE_HOSTS = [made.host]
        settings.BELLWETHER_TIMEOUT_S = 3.0
        settings.HF_TOKEN = "hf_secret"
        yield made


def spec_of(view: Path, labels: tuple[str, ...] = LABELS) -> VersionSpec:
    return VersionSpec(
        model="team/far",
        number=2,
        digest="e" * 64,
        task="text-classification",
        labels=labels,
        pooling=Pooling.MEAN,
        view=view,
        n_bytes=1,
        kind=VersionKind.REMOTE,
    )


@pytest.fixture
def predictor(endpoint: FakeEndpoint, tmp_path: Path) -> Predictor:
    (tmp_path / REMOTE).write_bytes(build_remote(url=endpoint.url, labels=LABELS).data)
    loaded = loading.load_predictor(spec_of(tmp_path))
    endpoint.asked.clear()
    return loaded


def submit(predictor: Predictor, texts: list[Any], *, seconds: float = 3.0) -> list[Any]:
    """What the engine makes of `texts`, asked at once."""

    async def run() -> list[Any]:
        encoded = predictor.task.encode(texts, RemoteParameters(), short=True)
        return list(await engine.submit(predictor, encoded, deadline=time.monotonic() + seconds))

    engine = Engine(NEAR, far_limits=FAR)
    engine.start()
    try:
        return asyncio.run(run())
    finally:
        engine.close(5)


def test_a_batch_is_one_request(predictor: Predictor, endpoint: FakeEndpoint) -> None:
    outcomes = submit(predictor, ["one", "two", TextPair("three", "four")])
    assert all(isinstance(outcome, Answered) for outcome in outcomes)
    (asked,) = endpoint.asked
    assert asked.inputs == ["one", "two", {"text": "three", "text_pair": "four"}]
    output = outcomes[0].output
    assert output.logits.tolist() == [0.25, 0.75]
    assert output.embedding.size == 0


def test_an_answer_has_the_fields_of_a_local_one(predictor: Predictor) -> None:
    (outcome,) = submit(predictor, ["one"])
    (one,) = predictor.task.encode(["one"], RemoteParameters(), short=True)
    best = predictor.task.decode(one, [outcome.output], RemoteParameters())
    assert best.fields == {"label": "GOOD", "score": 0.75}
    every = predictor.task.decode(one, [outcome.output], RemoteParameters(top_k=None))
    assert every.fields["scores"] == [
        {"label": "GOOD", "score": 0.75},
        {"label": "BAD", "score": 0.25},
    ]
    assert every.scores == {"BAD": 0.25, "GOOD": 0.75}


def test_how_scores_are_made_cannot_be_chosen() -> None:
    assert msgspec.json.decode(b'{"function_to_apply":null}', type=RemoteParameters).top_k == 1
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"function_to_apply":"softmax"}', type=RemoteParameters)


def test_tokens_are_estimated_by_characters() -> None:
    task = RemoteTextClassification(LABELS, timeout_s=1)
    texts: list[Input] = ["abcd", "abcde", "", "  ", TextPair("abcd", "efgh")]
    encoded = task.encode(texts, task.defaults, short=True)
    counts = [each.n_tokens for each in encoded]
    assert counts == [1, 2, 0, 0, 2]
    assert not any(each.truncated for each in encoded)


def test_a_text_that_the_endpoint_cannot_take_fails_alone(
    predictor: Predictor, endpoint: FakeEndpoint
) -> None:
    def say(asked: Asked) -> None:
        if "poison" in asked.inputs:
            asked.answer({"error": "secret trace"}, status="500 Oops")
        else:
            asked.classify()

    endpoint.say = say
    outcomes = submit(predictor, ["a", "poison", "b", "c"])
    assert [isinstance(each, InputFailed) for each in outcomes] == [False, True, False, False]
    assert "secret" not in outcomes[1].message


FAILURES = {
    "refused": ("401 Unauthorized", RemoteRefused),
    "gone": ("404 Not Found", RemoteRefused),
    "a dead gateway": ("502 Bad Gateway", RemoteUnavailable),
}


@pytest.mark.parametrize(("status", "kind"), FAILURES.values(), ids=FAILURES)
def test_a_failure_of_the_endpoint_is_everybody_s_and_is_not_asked_again_by_halves(
    predictor: Predictor, endpoint: FakeEndpoint, status: str, kind: type[Exception]
) -> None:
    endpoint.say = lambda asked: asked.answer({"error": "x"}, status=status)
    outcomes = submit(predictor, ["a", "b", "c", "d"])
    assert [type(outcome) for outcome in outcomes] == [kind] * 4
    assert len({id(outcome) for outcome in outcomes}) == 4
    assert all(len(asked.inputs) == 4 for asked in endpoint.asked)
    assert "hf_secret" not in outcomes[0].message
    assert endpoint.url not in outcomes[0].message


def test_an_answer_that_breaks_the_version_s_promise_is_nobody_s_answer(
    predictor: Predictor, endpoint: FakeEndpoint
) -> None:
    endpoint.say = lambda asked: asked.answer([[{"label": "NEW", "score": 1.0}]] * 2)
    outcomes = submit(predictor, ["a", "b"])
    assert [type(outcome) for outcome in outcomes] == [RemoteInvalidAnswer] * 2
    assert len(endpoint.asked) == 1


def test_a_slow_endpoint_holds_up_nobody_else(predictor: Predictor, endpoint: FakeEndpoint) -> None:
    held = threading.Event()

    def say(asked: Asked) -> None:
        held.wait(5)
        asked.classify()

    endpoint.say = say
    local = a_predictor()

    async def run() -> float:
        deadline = time.monotonic() + 3
        slow = [
            asyncio.create_task(
                engine.submit(
                    predictor,
                    predictor.task.encode(["a"], RemoteParameters(), short=True),
                    deadline=deadline,
                )
            )
            for _ in range(6)
        ]
        await asyncio.sleep(0.1)
        started = time.monotonic()
        encoded = local.task.encode(["good"], local.task.defaults, short=True)
        await engine.submit(local, encoded, deadline=deadline)
        took_s = time.monotonic() - started
        assert not any(task.done() for task in slow)
        held.set()
        await asyncio.gather(*slow)
        assert engine.drained(predictor)
        return took_s

    engine = Engine(NEAR, far_limits=FAR)
    engine.start()
    try:
        assert asyncio.run(run()) < 1.0
        assert engine.is_healthy
    finally:
        assert engine.close(5)


def test_waiting_ends_at_the_caller_s_deadline(
    predictor: Predictor, endpoint: FakeEndpoint
) -> None:
    endpoint.say = lambda asked: time.sleep(2)
    with pytest.raises(DeadlineExceeded):
        submit(predictor, ["a"], seconds=0.3)


def test_a_version_whose_endpoint_is_away_does_not_load(
    endpoint: FakeEndpoint, tmp_path: Path
) -> None:
    (tmp_path / REMOTE).write_bytes(build_remote(url=endpoint.url, labels=LABELS).data)
    endpoint.say = lambda asked: asked.answer(b"", status="502 Bad Gateway")
    with pytest.raises(ConnectionError):
        remote.load(spec_of(tmp_path))


def test_a_version_whose_endpoint_has_other_labels_does_not_load(
    endpoint: FakeEndpoint, tmp_path: Path
) -> None:
    (tmp_path / REMOTE).write_bytes(build_remote(url=endpoint.url, labels=["A", "B"]).data)
    with pytest.raises(RemoteInvalidAnswer):
        remote.load(spec_of(tmp_path, ("A", "B")))


def test_a_file_that_is_not_the_version_s_does_not_load(
    endpoint: FakeEndpoint, tmp_path: Path
) -> None:
    (tmp_path / REMOTE).write_bytes(build_remote(url=endpoint.url, labels=["A"]).data)
    with pytest.raises(ValueError, match="another task or labels"):
        remote.load(spec_of(tmp_path))
    (tmp_path / REMOTE).write_bytes(b"{}")
    with pytest.raises(ContentRefused):
        remote.load(spec_of(tmp_path))
    assert endpoint.asked == []
