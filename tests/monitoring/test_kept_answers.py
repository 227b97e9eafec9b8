"""What a caller got is in the row: asked over HTTP, through the journal, read over the API."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from transformers import (
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
)

from access.scopes import Scope
from inference.describing import Describer
from inference.journal import Journal
from inference.predictor import Predictor
from inference.records import PredictionRecord
from inference.redaction import Redactor
from inference.shortening import MAX_ANSWER_BYTES
from monitoring.forgetting import forget
from monitoring.models import Prediction
from monitoring.recorder import JournalWriter
from tests.inference.conftest import Plane, a_plane
from tests.inference.golden.seeded import save_seeded
from tests.inference.loaded import load
from tests.inference.tiny import save_tiny
from tests.inference.tiny_generators import CHAT_TEMPLATE, save_generator
from tests.inference.windowed import TAGS
from tests.monitoring.builders import client, make_record

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.monitoring.urls")]

NLI = ("contradiction", "neutral", "entailment")
CONTEXT = "Ada Lovelace wrote the first program. Her mail is ada@example.org, she said."
QUESTION = {"question": "Who wrote the first program?", "context": CONTEXT}
GREEDY = {"max_new_tokens": 6, "do_sample": False}
CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "text-classification": ("a good film", {"top_k": 2}),
    "zero-shot-classification": ("a dog", {"candidate_labels": ["a film", "a dog"]}),
    "fill-mask": ("a [MASK] film", {}),
    "feature-extraction": ("a good film", {}),
    "sentence-similarity": ({"source_sentence": "a film", "sentences": ["a dog", "a film"]}, {}),
    "token-classification": (CONTEXT, {"aggregation_strategy": "none", "ignore_labels": []}),
    "question-answering": (QUESTION, {"top_k": 3}),
    "text-generation": ("the first program", GREEDY),
    "summarization": ("the first program", GREEDY | {"num_beams": 1}),
}
CONTENT = {
    "fill-mask": "fills",
    "sentence-similarity": "similarities",
    "token-classification": "entities",
    "question-answering": "answers",
    "text-generation": "generated_text",
    "summarization": "summary_text",
}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Predictor]:
    made: dict[str, Predictor] = {}

    def get(task: str) -> Predictor:
        if task not in made:
            made[task] = _load(task, tmp_path_factory.mktemp(task))
        return made[task]

    return get


def _load(task: str, folder: Any) -> Predictor:
    match task:
        case "text-classification":
            labels = ("NEGATIVE", "POSITIVE")
            auto = AutoModelForSequenceClassification
            return load(save_tiny(folder, auto=auto, labels=labels), task, labels)
        case "zero-shot-classification":
            auto = AutoModelForSequenceClassification
            return load(save_tiny(folder, auto=auto, labels=NLI), task, NLI)
        case "fill-mask":
            return load(save_tiny(folder, auto=AutoModelForMaskedLM), task)
        case "feature-extraction" | "sentence-similarity":
            return load(save_tiny(folder, auto=AutoModel), task)
        case "token-classification":
            id2label = dict(enumerate(TAGS))
            view = save_seeded(folder, "bert", AutoModelForTokenClassification, id2label=id2label)
            return load(view, task, TAGS)
        case "question-answering":
            return load(save_seeded(folder, "bert", AutoModelForQuestionAnswering), task)
    family = {"text-generation": "gpt2", "summarization": "bart"}[task]
    return load(save_generator(folder, family, chat_template=CHAT_TEMPLATE), task)


@contextmanager
def serving(predictor: Predictor, describer: Describer | None = None) -> Iterator[Plane]:
    with a_plane(predictor=predictor) as plane:
        if describer is not None:
            plane.service._describer = describer
        yield plane


def kept(plane: Plane, journal: Journal, writer: JournalWriter) -> list[Prediction]:
    """The rows of what the plane answered, in that order."""
    journal.record(plane.recorder.records)
    while writer.run_once():
        pass
    rows = Prediction.objects.in_bulk([record.id for record in plane.recorder.records])
    return [rows[record.id] for record in plane.recorder.records]


@pytest.mark.parametrize("task", CASES)
def test_a_row_holds_what_the_caller_got(
    task: str, loaded: Callable[[str], Predictor], journal: Journal, writer: JournalWriter
) -> None:
    inputs, parameters = CASES[task]
    with serving(loaded(task)) as plane:
        reply = plane.predict([inputs], parameters=parameters)
        assert reply.status_code == 200, reply.text
        [answer] = reply.json()["predictions"]
        [row] = kept(plane, journal, writer)
    shown = client(Scope.READ).get(f"/api/v1/predictions/{row.id}").json()["answer"]
    [listed] = client(Scope.READ).get("/api/v1/predictions").json()["results"]
    assert listed["answer"] == shown
    if task not in CONTENT:
        assert row.answer is shown is None
        return
    assert shown[CONTENT[task]]
    got = answer | {"fills": _without_texts(answer["fills"])} if task == "fill-mask" else answer
    assert shown == {name: got[name] for name in shown}
    assert set(got) - set(shown) <= {"id", "n_tokens", "truncated"}


def _without_texts(fills: list[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    return [
        [{name: it for name, it in fill.items() if name != "sequence"} for fill in place]
        for place in fills
    ]


def test_a_chat_is_kept_as_it_was_answered(
    loaded: Callable[[str], Predictor], journal: Journal, writer: JournalWriter
) -> None:
    said = {"messages": [{"role": "user", "content": "the first program"}], "max_tokens": 6}
    with serving(loaded("text-generation")) as plane:
        model = plane.predictor.spec.model
        answer = plane.call("POST", "/v1/chat/completions", json={"model": model} | said).json()
        [row] = kept(plane, journal, writer)
    read = json.loads(row.answer or "")
    assert read["generated_text"] == answer["choices"][0]["message"]["content"]
    assert read["n_generated"] == answer["usage"]["completion_tokens"]


@pytest.mark.parametrize("task", sorted(CONTENT))
def test_no_answer_is_kept_where_texts_are_not(
    task: str, loaded: Callable[[str], Predictor], journal: Journal, writer: JournalWriter
) -> None:
    inputs, parameters = CASES[task]
    with serving(loaded(task), Describer(stores_text=False)) as plane:
        assert plane.predict([inputs], parameters=parameters).status_code == 200
        [row] = kept(plane, journal, writer)
    assert (row.text, row.answer) == (None, None)
    assert row.label


@pytest.mark.parametrize("strategy", ["none", "simple", "first"])
def test_no_piece_of_what_is_redacted_is_kept_as_an_entity(
    strategy: str, loaded: Callable[[str], Predictor], journal: Journal, writer: JournalWriter
) -> None:
    parameters = {"aggregation_strategy": strategy, "ignore_labels": []}
    redacting = Describer(redactor=Redactor(["email"]))
    with serving(loaded("token-classification"), redacting) as plane:
        got = plane.predict(CONTEXT, parameters=parameters).json()["predictions"][0]["entities"]
        [row] = kept(plane, journal, writer)
    first = CONTEXT.index("ada@")
    last = first + len("ada@example.org")
    entities = json.loads(row.answer or "")["entities"]
    assert len(entities) == len(got)
    for kept_one, asked in zip(entities, got, strict=True):
        is_hidden = asked["start"] < last and asked["end"] > first
        assert ("[email]" in kept_one["word"]) == is_hidden
        assert is_hidden or kept_one == asked
    assert "example" not in (row.answer or "")


def test_pieces_of_a_context_are_as_redacted_as_it_is(
    loaded: Callable[[str], Predictor], journal: Journal, writer: JournalWriter
) -> None:
    redacting = Describer(redactor=Redactor(["email"]))
    with serving(loaded("question-answering"), redacting) as plane:
        asked = {"top_k": 50, "align_to_words": False}
        got = plane.predict(QUESTION, parameters=asked).json()["predictions"][0]["answers"]
        [row] = kept(plane, journal, writer)
    found = [each["answer"] for each in got]
    assert any("example" in each or "ada@" in each for each in found)
    assert "example" not in (row.answer or "")
    assert "[email]" in (row.answer or "")
    assert row.text == f"{QUESTION['question']}\n{CONTEXT}".replace("ada@example.org", "[email]")


def test_what_was_written_is_redacted(
    loaded: Callable[[str], Predictor], journal: Journal, writer: JournalWriter
) -> None:
    asked = GREEDY | {"return_full_text": True, "details": True, "decoder_input_details": True}
    with serving(
        loaded("text-generation"), Describer(redactor=Redactor((), {"secret": "first"}))
    ) as plane:
        told = plane.predict("the first program", parameters=asked).json()["predictions"][0]
        [row] = kept(plane, journal, writer)
    # Tokens are told, and not kept: a private word in pieces is recognised by nobody.
    assert {"details", "prompt_tokens"} <= set(told)
    assert not {"details", "prompt_tokens"} & set(json.loads(row.answer or ""))
    assert json.loads(row.answer or "")["generated_text"].startswith("the [secret] program")
    assert "first" not in (row.answer or "")


def test_a_long_answer_is_kept_in_part(
    loaded: Callable[[str], Predictor], journal: Journal, writer: JournalWriter
) -> None:
    parameters = {"aggregation_strategy": "none", "ignore_labels": []}
    with serving(loaded("token-classification")) as plane:
        got = plane.predict("Ada wrote it. " * 400, parameters=parameters).json()
        [row] = kept(plane, journal, writer)
    read = json.loads(row.answer or "")
    assert read["is_cut"] is True
    assert len((row.answer or "").encode()) <= MAX_ANSWER_BYTES
    n_kept = len(read["entities"])
    assert 50 < n_kept < len(got["predictions"][0]["entities"])
    assert read["entities"] == got["predictions"][0]["entities"][:n_kept]


def test_an_answer_that_cannot_be_redacted_is_given_and_not_kept(
    loaded: Callable[[str], Predictor],
    journal: Journal,
    writer: JournalWriter,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(text: str) -> None:
        raise RuntimeError("no pattern")

    redactor = Redactor(["email"])
    monkeypatch.setattr(redactor, "trace", broken)
    with serving(loaded("question-answering"), Describer(redactor=redactor)) as plane:
        assert plane.predict(QUESTION).status_code == 200
        [row] = kept(plane, journal, writer)
    assert row.answer is None
    assert "not kept" in caplog.text
    assert "Lovelace" not in caplog.text


def test_forgetting_a_subject_takes_the_answers_along(
    loaded: Callable[[str], Predictor], journal: Journal, writer: JournalWriter, settings: Any
) -> None:
    describer = Describer(secret=settings.SECRET_KEY)
    with serving(loaded("question-answering"), describer) as plane:
        plane.predict(QUESTION, subject="ada")
        plane.predict(QUESTION)
        kept(plane, journal, writer)
    assert forget("ada", actor="alice").n_predictions == 1
    [left] = Prediction.objects.all()
    assert (left.subject, left.answer is None) == ("", False)


def test_a_record_from_before_answers_becomes_a_row(
    journal: Journal, writer: JournalWriter
) -> None:
    new = make_record()
    fields: list[Any] = msgspec.msgpack.decode(msgspec.msgpack.encode(new))
    assert PredictionRecord.__struct_fields__[-1] == "answer"
    old = msgspec.msgpack.decode(msgspec.msgpack.encode(fields[:-1]), type=PredictionRecord)
    assert old == new
    journal.record([old])
    assert writer.run_once() == 1
    assert Prediction.objects.get(id=new.id).answer is None
