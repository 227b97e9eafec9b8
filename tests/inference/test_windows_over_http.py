"""Entities and answers through the wire, and all that a version must pass before it serves."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from huggingface_hub import InferenceClient
from transformers import AutoModelForQuestionAnswering, AutoModelForTokenClassification

from inference.comparing import Primary, compared
from inference.predictor import Predictor
from inference.runtimes.torch import TorchRuntime
from inference.swap.golden import check_golden, check_smoke, make_golden
from inference.swap.states import CannotServe
from inference.swap.warming import warm_up
from inference.tasks.question_answering import QuestionAnsweringParameters
from tests.inference.conftest import Plane, a_plane, behind_socket
from tests.inference.golden.seeded import save_seeded
from tests.inference.golden.texts import CORPUS, LONG, ODD
from tests.inference.loaded import CPU, ask, load
from tests.inference.windowed import TAGS

TASKS = {
    "token-classification": (AutoModelForTokenClassification, TAGS),
    "question-answering": (AutoModelForQuestionAnswering, ()),
}
WHO = "Who wrote the first program?"
PATH = "/models/team/tiny"


@pytest.fixture(scope="module")
def predictors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Predictor]:
    made = {}
    for task, (auto, labels) in TASKS.items():
        named: dict[str, Any] = {"id2label": dict(enumerate(labels))} if labels else {}
        view = save_seeded(tmp_path_factory.mktemp(task), "bert", auto, **named)
        made[task] = load(view, task, labels)
    return made


@pytest.fixture
def plane(request: pytest.FixtureRequest, predictors: dict[str, Predictor]) -> Iterator[Plane]:
    with a_plane(predictor=predictors[request.param]) as plane:
        yield plane


@pytest.fixture
def client(plane: Plane) -> Iterator[InferenceClient]:
    with behind_socket(plane) as url:
        yield InferenceClient(model=url + PATH, token="good-key", timeout=10)


def serving(task: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("plane", [task], indirect=True)


@pytest.mark.parametrize("task", TASKS)
def test_a_version_passes_what_it_must_before_it_serves(
    predictors: dict[str, Predictor], task: str
) -> None:
    predictor = predictors[task]
    assert check_smoke(predictor)["smoke_tokens"]["long"] > 1000
    assert check_golden(predictor, make_golden(predictor))["golden_worst"] < 1e-4
    assert warm_up(predictor, budget_s=0.01)["warm_rounds"] >= 1


@pytest.mark.parametrize("task", TASKS)
def test_another_model_s_answers_do_not_pass(
    predictors: dict[str, Predictor], task: str, tmp_path: Any
) -> None:
    auto, labels = TASKS[task]
    named: dict[str, Any] = {"id2label": dict(enumerate(labels))} if labels else {}
    view = save_seeded(tmp_path, "electra", auto, **named)
    golden = make_golden(predictors[task])
    with pytest.raises(CannotServe, match="instead of"):
        check_golden(load(view, task, labels), golden)


@pytest.mark.parametrize("task", TASKS)
def test_a_shadow_with_the_same_weights_agrees(predictors: dict[str, Predictor], task: str) -> None:
    predictor = predictors[task]
    runtime = TorchRuntime(
        predictor.spec, replace(CPU, dtype="bfloat16"), predictor.task.form, _head(task)
    )
    shadow = Predictor(spec=predictor.spec, task=predictor.task, runtime=runtime)
    inputs = [predictor.task.example(text) for text in CORPUS]
    ours, theirs = (ask(each, inputs) for each in (predictor, shadow))
    primary = Primary(
        spec=predictor.spec,
        ids=[None] * len(ours),
        decoded=ours,
        seconds=[0.0] * len(ours),
    )
    for at, answer in enumerate(theirs):
        record = compared(primary, at, shadow.spec, answer, seconds=0.1, at=0.0)
        assert record.compared is not None
        assert record.compared.delta is not None
        assert record.compared.delta < 0.25


def _head(task: str) -> Any:
    from inference.tasks.kinds import KINDS

    return KINDS[task].head


@serving("token-classification")
def test_entities_are_answered_and_recorded(plane: Plane) -> None:
    reply = plane.predict([CORPUS[0], LONG]).json()
    for text, answer in zip((CORPUS[0], LONG), reply["predictions"], strict=True):
        assert answer["entities"]
        assert not answer["truncated"]
        for entity in answer["entities"]:
            assert set(entity) == {"entity_group", "score", "word", "start", "end"}
            assert entity["entity_group"] in ("PER", "LOC", "ORG")
            assert 0 <= entity["start"] < entity["end"] <= len(text)
    assert max(entity["end"] for entity in reply["predictions"][1]["entities"]) > len(LONG) - 100
    records = plane.recorder.records
    assert [record.label for record in records] == ["entities", "entities"]
    assert records[1].n_tokens == reply["predictions"][1]["n_tokens"] > 500
    assert len(records[1].embedding) == 64


@serving("token-classification")
def test_each_token_is_labelled_where_asked(plane: Plane) -> None:
    reply = plane.predict(CORPUS[0], parameters={"aggregation_strategy": "none"}).json()
    for entity in reply["predictions"][0]["entities"]:
        assert set(entity) == {"entity", "index", "score", "word", "start", "end"}


@serving("token-classification")
@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"aggregation_strategy": "best"}, "parameters.aggregation_strategy"),
        ({"stride": -1}, "parameters.stride"),
        ({"stride": 62}, "parameters.stride"),
        ({"ignore_labels": "O"}, "parameters.ignore_labels"),
        ({"top_k": 1}, "parameters.top_k"),
    ],
)
def test_what_entities_do_not_take_is_refused(
    plane: Plane, parameters: dict[str, Any], field: str
) -> None:
    answer = plane.predict("x", parameters=parameters)
    assert (answer.status_code, answer.json()["error"]["details"]["field"]) == (422, field)


@serving("token-classification")
def test_the_client_finds_entities(client: InferenceClient) -> None:
    found = client.token_classification(CORPUS[0])
    assert found
    assert all(each.entity_group in ("PER", "LOC", "ORG") for each in found)
    tokens = client.token_classification(
        CORPUS[0], aggregation_strategy="none", ignore_labels=["B-PER"]
    )
    assert {each.entity for each in tokens} <= set(TAGS) - {"B-PER"}
    strided = client.token_classification(LONG, aggregation_strategy="max", stride=8)
    assert [each.start for each in strided] == sorted(each.start for each in strided)


@serving("token-classification")
def test_a_list_of_texts_is_answered_with_a_list_of_lists(plane: Plane) -> None:
    for path in (PATH, f"{PATH}/pipeline/ner", f"{PATH}/pipeline/token-classification"):
        one = plane.call("POST", path, json={"inputs": CORPUS[0]}).json()
        several = plane.call("POST", path, json={"inputs": [CORPUS[0], "x"]}).json()
        assert one == several[0]
        assert len(several) == 2


@serving("token-classification")
def test_every_odd_text_is_answered(plane: Plane) -> None:
    reply = plane.predict([*ODD, LONG])
    assert reply.status_code == 200
    assert len(reply.json()["predictions"]) == len(ODD) + 1


@serving("question-answering")
def test_questions_are_answered_and_recorded(plane: Plane) -> None:
    questions = [{"question": WHO, "context": text} for text in (CORPUS[0], LONG)]
    reply = plane.predict(questions).json()
    for question, answer in zip(questions, reply["predictions"], strict=True):
        assert answer["answer"] == question["context"][answer["start"] : answer["end"]] != ""
        assert "answers" not in answer
    (alone,) = plane.predict(questions[0]).json()["predictions"]
    assert alone["answer"] == reply["predictions"][0]["answer"]
    first = plane.recorder.records[0]
    assert (first.label, first.text) == ("answer", f"{WHO}\n{CORPUS[0]}")
    assert set(first.scores) == {"answer", "no_answer"}


@serving("question-answering")
def test_several_answers_come_best_first(plane: Plane) -> None:
    question = {"question": WHO, "context": CORPUS[0]}
    (answer,) = plane.predict(question, parameters={"top_k": 3}).json()["predictions"]
    scores = [each["score"] for each in answer["answers"]]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    assert answer["answer"] == answer["answers"][0]["answer"]


@serving("question-answering")
@pytest.mark.parametrize(
    ("inputs", "parameters", "field"),
    [
        ("a text", {}, "inputs"),
        ({"question": WHO}, {}, "inputs"),
        ([{"question": WHO, "context": "x"}, "a text"], {}, "inputs[1]"),
        ({"question": WHO, "context": LONG}, {"doc_stride": 64}, "parameters.doc_stride"),
        ({"question": WHO * 20, "context": "x"}, {}, "inputs[0].question"),
        ({"question": WHO, "context": "x"}, {"top_k": 0}, "parameters.top_k"),
        ({"question": WHO, "context": "x"}, {"max_answer_len": 0}, "parameters.max_answer_len"),
    ],
)
def test_what_questions_do_not_take_is_refused(
    plane: Plane, inputs: Any, parameters: dict[str, Any], field: str
) -> None:
    answer = plane.predict(inputs, parameters=parameters)
    assert (answer.status_code, answer.json()["error"]["details"]["field"]) == (422, field)


@serving("question-answering")
def test_the_client_gets_an_answer_or_several(client: InferenceClient) -> None:
    answer = client.question_answering(question=WHO, context=CORPUS[0])
    assert not isinstance(answer, list)
    assert answer.answer == CORPUS[0][answer.start : answer.end]
    several = client.question_answering(
        question=WHO,
        context=LONG,
        top_k=4,
        doc_stride=8,
        max_answer_len=5,
        max_seq_len=60,
        max_question_len=32,
        handle_impossible_answer=True,
        align_to_words=False,
    )
    assert isinstance(several, list)
    assert len(several) == 4


@serving("question-answering")
def test_a_list_of_questions_is_answered_with_a_list(plane: Plane) -> None:
    question = {"question": WHO, "context": CORPUS[0]}
    one = plane.call("POST", PATH, json={"inputs": question}).json()
    several = plane.call("POST", PATH, json={"inputs": [question] * 2}).json()
    assert several == [one, one]
    assert set(one) == {"answer", "score", "start", "end"}


def test_parameters_of_clients_are_ours() -> None:
    assert set(QuestionAnsweringParameters.__struct_fields__) == {
        "top_k",
        "doc_stride",
        "max_answer_len",
        "max_seq_len",
        "max_question_len",
        "handle_impossible_answer",
        "align_to_words",
    }
