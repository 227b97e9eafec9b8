"""Every task through the wire: natively, and by Hugging Face's own client."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import InferenceClient
from transformers import AutoModel, AutoModelForMaskedLM, AutoModelForSequenceClassification

from inference.predictor import Predictor
from inference.swap.golden import check_golden, check_smoke, make_golden
from inference.swap.warming import warm_up
from tests.inference.conftest import Plane, a_plane, behind_socket
from tests.inference.loaded import load
from tests.inference.tiny import save_tiny

NLI = ("contradiction", "neutral", "entailment")
TASKS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "text-classification": (AutoModelForSequenceClassification, ("NEGATIVE", "POSITIVE")),
    "zero-shot-classification": (AutoModelForSequenceClassification, NLI),
    "fill-mask": (AutoModelForMaskedLM, ()),
    "feature-extraction": (AutoModel, ()),
    "sentence-similarity": (AutoModel, ()),
}
CANDIDATES = {"candidate_labels": ["a film", "a dog"]}


@pytest.fixture(scope="module")
def predictors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Predictor]:
    made = {}
    for task, (auto, labels) in TASKS.items():
        named = {"labels": labels} if labels else {}
        view: Path = save_tiny(tmp_path_factory.mktemp(task), auto=auto, **named)
        made[task] = load(view, task, labels)
    return made


@pytest.fixture
def plane(request: pytest.FixtureRequest, predictors: dict[str, Predictor]) -> Iterator[Plane]:
    with a_plane(predictor=predictors[request.param]) as plane:
        yield plane


@pytest.fixture
def client(plane: Plane) -> Iterator[InferenceClient]:
    with behind_socket(plane) as url:
        yield InferenceClient(model=f"{url}/models/team/tiny", token="good-key", timeout=10)


def serving(task: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("plane", [task], indirect=True)


@pytest.mark.parametrize("task", TASKS)
def test_a_version_of_any_task_passes_what_it_must_before_it_serves(
    predictors: dict[str, Predictor], task: str
) -> None:
    predictor = predictors[task]
    assert check_smoke(predictor)["smoke_tokens"]
    assert check_golden(predictor, make_golden(predictor))["golden_cases"] > 0
    assert warm_up(predictor, budget_s=0.01)["warm_rounds"] >= 1


@serving("zero-shot-classification")
def test_any_labels_are_weighed(plane: Plane) -> None:
    reply = plane.predict(["a dog", "numbers"], parameters=CANDIDATES).json()
    for answer in reply["predictions"]:
        scores = {each["label"]: each["score"] for each in answer["scores"]}
        assert set(scores) == {"a film", "a dog"}
        assert sum(scores.values()) == pytest.approx(1)
        assert answer["score"] == scores[answer["label"]] == max(scores.values())
    assert [record.label for record in plane.recorder.records] == [
        answer["label"] for answer in reply["predictions"]
    ]


@serving("zero-shot-classification")
@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({}, "parameters"),
        ({"candidate_labels": []}, "parameters.candidate_labels"),
        ({"candidate_labels": ["a"] * 65}, "parameters.candidate_labels"),
        ({"candidate_labels": ["a"], "colour": 1}, "parameters.colour"),
    ],
)
def test_parameters_that_the_task_does_not_take_name_their_field(
    plane: Plane, parameters: dict[str, Any], field: str
) -> None:
    answer = plane.predict("a dog", parameters=parameters)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["field"] == field


@serving("zero-shot-classification")
def test_the_client_weighs_any_labels(client: InferenceClient) -> None:
    found = client.zero_shot_classification("a dog", ["a film", "a dog"], multi_label=True)
    assert {each.label for each in found} == {"a film", "a dog"}
    assert found[0].score >= found[1].score


@serving("zero-shot-classification")
def test_a_client_before_1_2_reads_its_own_shape(plane: Plane) -> None:
    headers = {"Authorization": "Bearer good-key", "User-Agent": "unknown/None; hf_hub/0.36.2"}
    body = {"inputs": "a dog", "parameters": CANDIDATES}
    answer = plane.call("POST", "/models/team/tiny", json=body, headers=headers).json()
    assert answer["sequence"] == "a dog"
    assert set(answer["labels"]) == {"a film", "a dog"}
    assert answer["scores"] == sorted(answer["scores"], reverse=True)


@serving("fill-mask")
def test_masks_are_filled(plane: Plane) -> None:
    reply = plane.predict("a [MASK] and a [MASK]", parameters={"top_k": 3}).json()
    (answer,) = reply["predictions"]
    assert [len(fills) for fills in answer["fills"]] == [3, 3]
    assert plane.recorder.records[0].label == "filled"


@serving("fill-mask")
def test_a_text_without_a_mask_is_the_callers_to_mend(plane: Plane) -> None:
    answer = plane.predict("nothing is missing")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_request")
    assert "[MASK]" in answer.json()["error"]["message"]


@serving("fill-mask")
def test_the_client_fills_masks(client: InferenceClient) -> None:
    found = client.fill_mask("a [MASK] dog", top_k=2)
    assert len(found) == 2
    assert all("dog" in each.sequence for each in found)
    assert found[0].score > found[1].score


@serving("feature-extraction")
def test_texts_become_vectors(plane: Plane) -> None:
    reply = plane.predict(["a dog", "a film"], parameters={"normalize": True}).json()
    for answer in reply["predictions"]:
        assert sum(x * x for x in answer["embedding"]) == pytest.approx(1, abs=1e-5)
        assert "similarities" not in answer
    assert all(len(record.embedding) == 64 for record in plane.recorder.records)


@serving("feature-extraction")
def test_the_client_gets_vectors(client: InferenceClient) -> None:
    assert client.feature_extraction("a dog", normalize=True).shape == (1, 32)
    assert client.feature_extraction(["a dog", "a film"]).shape == (2, 32)


@serving("sentence-similarity")
def test_the_client_compares_sentences(client: InferenceClient) -> None:
    found = client.sentence_similarity("a dog", ["a dog", "a film", "numbers"])
    assert found[0] == pytest.approx(1, abs=1e-5)
    assert max(found[1:]) < 1


@serving("sentence-similarity")
def test_a_comparison_is_one_prediction(plane: Plane) -> None:
    asked = {"source_sentence": "a dog", "sentences": ["a film", "a dog"]}
    (answer,) = plane.predict(asked).json()["predictions"]
    assert answer["similarities"][1] == pytest.approx(1, abs=1e-5)
    (record,) = plane.recorder.records
    assert (record.label, record.text) == ("similarity", "a dog\na film\na dog")


@serving("feature-extraction")
@pytest.mark.parametrize("inputs", [{"text": "a", "text_pair": "b"}, 7, [["a"]], None])
def test_what_another_task_takes_is_refused(plane: Plane, inputs: Any) -> None:
    answer = plane.predict(inputs)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] in {"invalid_request", "unknown_parameter"}


@serving("fill-mask")
def test_the_task_in_the_path_must_be_the_models(plane: Plane) -> None:
    path = "/models/team/tiny/pipeline/text-classification"
    answer = plane.call("POST", path, json={"inputs": "a [MASK]"})
    assert answer.status_code == 422
    assert "fill-mask" in answer.json()["error"]
