"""Zero-shot answers are those of transformers' pipeline on the same directory, to 1e-5."""

from pathlib import Path

import pytest
from transformers import pipeline

from inference.errors import InvalidRequest
from inference.tasks.zero_shot_classification import ZeroShotParameters, entailment_of
from tests.inference.loaded import ask, load
from tests.inference.tiny import CORPUS, save_tiny

LABELS = ("contradiction", "neutral", "entailment")
TEXTS = [*CORPUS, "x", "Ünïcödé 🎉", "שלום עולם", "words " * 200]
# Those whose pairs are put together differently.
ARCHITECTURES = ("bert", "roberta", "deberta-v2")
CANDIDATES = ("a film", "a dog", "numbers", "emoji 🎉")


@pytest.fixture(scope="module", params=ARCHITECTURES)
def view(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp(request.param), request.param, labels=LABELS)


def check(view: Path, labels: tuple[str, ...], parameters: ZeroShotParameters, batch: int) -> None:
    theirs = pipeline("zero-shot-classification", model=str(view))(
        TEXTS,
        candidate_labels=list(parameters.candidate_labels),
        multi_label=parameters.multi_label,
        hypothesis_template=parameters.hypothesis_template,
    )
    ours = ask(load(view, "zero-shot-classification", labels), TEXTS, parameters, batch=batch)
    for our, their in zip(ours, theirs, strict=True):
        shown = our.fields["scores"]
        assert [each["label"] for each in shown] == their["labels"]
        assert [each["score"] for each in shown] == pytest.approx(their["scores"], abs=1e-5)
        assert (our.label, our.score) == (shown[0]["label"], shown[0]["score"])


@pytest.mark.parametrize(("multi_label", "batch"), [(False, 1), (False, 5), (True, 64)])
def test_answers_equal_the_pipeline_batched_or_not(
    view: Path, multi_label: bool, batch: int
) -> None:
    check(view, LABELS, ZeroShotParameters(CANDIDATES, multi_label), batch)


@pytest.mark.parametrize(
    "labels", [("ENTAILMENT", "neutral", "no"), ("no", "yes"), ("not_entailed", "entailed")]
)
@pytest.mark.parametrize("candidates", [("one",), ("one", "two")])
def test_the_label_that_entails_is_found_as_the_pipeline_finds_it(
    tmp_path: Path, labels: tuple[str, ...], candidates: tuple[str, ...]
) -> None:
    view = save_tiny(tmp_path, "bert", labels=labels)
    check(view, labels, ZeroShotParameters(candidates, False, "It is about {}!"), 4)


def test_the_last_label_entails_where_none_says_so() -> None:
    assert entailment_of(("a", "b")) == 1
    assert entailment_of(("Entailed", "b")) == 0


@pytest.mark.parametrize("template", ["no place", "{} and {}", "{0}", "{:>99999999}"])
def test_a_template_without_its_place_is_refused(tmp_path: Path, template: str) -> None:
    predictor = load(save_tiny(tmp_path, labels=LABELS), "zero-shot-classification", LABELS)
    with pytest.raises(InvalidRequest) as refused:
        ask(predictor, ["a"], ZeroShotParameters(CANDIDATES, False, template))
    assert refused.value.details["field"] == "parameters.hypothesis_template"


def test_a_label_that_leaves_no_room_for_the_text_is_refused(tmp_path: Path) -> None:
    predictor = load(save_tiny(tmp_path, labels=LABELS), "zero-shot-classification", LABELS)
    with pytest.raises(InvalidRequest, match="Shorten it"):
        ask(predictor, ["a text"], ZeroShotParameters(("a b c " * 33,)))


def test_a_long_text_gives_way_and_says_so(tmp_path: Path) -> None:
    predictor = load(save_tiny(tmp_path, labels=LABELS), "zero-shot-classification", LABELS)
    (prepared,) = predictor.task.encode(["word " * 99], predictor.task.defaults, short=True)
    assert prepared.truncated
    assert prepared.n_tokens == 64
