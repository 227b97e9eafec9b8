"""Our answers are transformers' answers: same directory, same texts, to 1e-5, batched or not."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer, pipeline

from inference.runtimes.ports import Placement
from inference.runtimes.torch import TorchRuntime
from inference.tasks.inputs import TextPair
from inference.tasks.text_classification import (
    TextClassification,
    apply_function,
    default_function,
)
from inference.tasks.text_classification import TextClassificationParameters as Parameters
from inference.tasks.tokenizing import TextTokenizer
from registry.specs import Pooling, VersionSpec
from tests.inference.tiny import ARCHITECTURES, CORPUS, save_tiny

CPU = Placement(device="cpu", dtype="float32", n_cores=1)
TEXTS = [*CORPUS, "short", "Ünïcödé – “quotes” and emoji 🎉", "words " * 200, "x" * 500]


def a_spec(view: Path, labels: tuple[str, ...], pooling: Pooling = Pooling.MEAN) -> VersionSpec:
    return VersionSpec(
        model="team/tiny",
        number=1,
        digest="0" * 64,
        task="text-classification",
        labels=labels,
        pooling=pooling,
        view=view,
        n_bytes=1,
    )


def load(
    view: Path, labels: tuple[str, ...] = ("NEGATIVE", "POSITIVE"), pooling: Pooling = Pooling.MEAN
):
    task = TextClassification(view, labels)
    runtime = TorchRuntime(a_spec(view, labels, pooling), CPU, task.tokenizer.form)
    return task, runtime


def answers(task, runtime, texts, parameters: Parameters, *, batch: int):
    encoded = task.encode(texts, Parameters(), short=True)
    outputs = [
        output
        for start in range(0, len(encoded), batch)
        for output in runtime.forward(encoded[start : start + batch])
    ]
    return [
        task.decode(each, [output], parameters).fields
        for each, output in zip(encoded, outputs, strict=True)
    ]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def view(request, tmp_path_factory) -> Path:
    return save_tiny(tmp_path_factory.mktemp(request.param), request.param)


@pytest.mark.parametrize("batch", [1, 4, len(TEXTS)])
def test_answers_equal_the_pipeline_batched_or_not(view, batch):
    theirs = pipeline("text-classification", model=str(view))(TEXTS, truncation=True)
    ours = answers(*load(view), TEXTS, Parameters(), batch=batch)
    assert [answer["label"] for answer in ours] == [answer["label"] for answer in theirs]
    assert [answer["score"] for answer in ours] == pytest.approx(
        [answer["score"] for answer in theirs], abs=1e-5
    )


@pytest.mark.parametrize("top_k", [None, 2, 10])
@pytest.mark.parametrize("function", ["softmax", "sigmoid", "none"])
def test_top_k_and_function_to_apply_equal_the_pipeline(tmp_path, top_k, function):
    labels = ("sport", "world", "business", "science")
    view = save_tiny(tmp_path, "bert", labels=labels)
    theirs = pipeline("text-classification", model=str(view))(
        TEXTS, truncation=True, top_k=top_k, function_to_apply=function
    )
    ours = answers(*load(view, labels), TEXTS, Parameters(top_k, function), batch=4)
    for our, their in zip(ours, theirs, strict=True):
        assert [score["label"] for score in our["scores"]] == [score["label"] for score in their]
        assert [score["score"] for score in our["scores"]] == pytest.approx(
            [score["score"] for score in their], abs=1e-5
        )


@pytest.mark.parametrize(
    ("labels", "config"),
    [
        (("score",), {}),
        (("score",), {"problem_type": "regression"}),
        (("a", "b", "c"), {"problem_type": "multi_label_classification"}),
        (("a", "b", "c"), {"problem_type": "single_label_classification"}),
    ],
)
def test_the_default_function_is_the_pipelines(tmp_path, labels, config):
    view = save_tiny(tmp_path, "bert", labels=labels, **config)
    theirs = pipeline("text-classification", model=str(view))(TEXTS, truncation=True)
    ours = answers(*load(view, labels), TEXTS, Parameters(), batch=3)
    assert [answer["score"] for answer in ours] == pytest.approx(
        [answer["score"] for answer in theirs], abs=1e-5
    )


def test_pairs_equal_the_pipeline(tmp_path):
    view = save_tiny(tmp_path, "bert")
    pairs = [(CORPUS[0], CORPUS[1]), (CORPUS[2], "short"), ("short", "words " * 100)]
    classify = pipeline("text-classification", model=str(view))
    theirs = [
        classify({"text": first, "text_pair": second}, truncation=True) for first, second in pairs
    ]
    ours = answers(*load(view), [TextPair(*pair) for pair in pairs], Parameters(), batch=3)
    assert [answer["score"] for answer in ours] == pytest.approx(
        [answer["score"] for answer in theirs], abs=1e-5
    )


def test_a_text_that_does_not_fit_says_so(tmp_path):
    tokenizer = TextTokenizer(save_tiny(tmp_path, "bert"))
    short, long = tokenizer.encode(["short", "words " * 200], short=True)
    assert (short.truncated, long.truncated) == (False, True)
    assert long.n_tokens == tokenizer.max_tokens == 64


def test_positions_that_hold_no_token_are_not_counted(tmp_path):
    view = save_tiny(tmp_path, "roberta")
    config = msgspec.json.decode((view / "tokenizer_config.json").read_bytes())
    config.pop("model_max_length")
    (view / "tokenizer_config.json").write_bytes(msgspec.json.encode(config))
    tokenizer = TextTokenizer(view)
    assert tokenizer.max_tokens == 64
    task, runtime = load(view)
    assert len(runtime.forward(task.encode(["words " * 200], Parameters(), short=True))) == 1


@pytest.mark.parametrize("pooling", list(Pooling))
@pytest.mark.parametrize("padding_side", ["right", "left"])
def test_the_pooled_embedding_comes_from_the_last_hidden_states(tmp_path, pooling, padding_side):
    view = save_tiny(tmp_path, "bert")
    config = msgspec.json.decode((view / "tokenizer_config.json").read_bytes())
    config["padding_side"] = padding_side
    (view / "tokenizer_config.json").write_bytes(msgspec.json.encode(config))
    task, runtime = load(view, pooling=pooling)
    tokenizer, model = AutoTokenizer.from_pretrained(view), AutoModel.from_pretrained(view).eval()
    ours = runtime.forward(task.encode(TEXTS[:4], Parameters(), short=True))
    for our, text in zip(ours, TEXTS[:4], strict=True):
        # Alone: whatever its tokenizer's side, no text is moved by another's length.
        with torch.inference_mode():
            inputs = tokenizer(text, return_tensors="pt", truncation=True)
            real = model(**inputs).last_hidden_state[0]
        expected = {
            Pooling.CLS: real[0],
            Pooling.MEAN: real.mean(dim=0),
            Pooling.MAX: real.amax(dim=0),
            Pooling.LAST: real[-1],
        }
        assert np.abs(our.embedding - expected[pooling].numpy()).max() < 1e-5


def test_bfloat16_answers_are_close(tmp_path):
    view = save_tiny(tmp_path, "bert")
    task = TextClassification(view, ("NEGATIVE", "POSITIVE"))
    half = Placement(device="cpu", dtype="bfloat16", n_cores=1)
    runtime = TorchRuntime(a_spec(view, ("NEGATIVE", "POSITIVE")), half, task.tokenizer.form)
    exact = answers(task, load(view)[1], TEXTS, Parameters(None), batch=4)
    close = answers(task, runtime, TEXTS, Parameters(None), batch=4)
    for one, other in zip(exact, close, strict=True):
        scores = {score["label"]: score["score"] for score in other["scores"]}
        assert all(abs(score["score"] - scores[score["label"]]) < 0.05 for score in one["scores"])
    assert runtime.device == "cpu bfloat16"


def test_what_is_recorded_does_not_depend_on_what_was_asked(tmp_path):
    task, runtime = load(save_tiny(tmp_path, "bert"))
    encoded = task.encode(["short"], Parameters(), short=True)
    outputs = runtime.forward(encoded)
    plain, raw = (
        task.decode(encoded[0], outputs, parameters)
        for parameters in (Parameters(), Parameters(None, "none"))
    )
    assert (plain.label, plain.score, plain.scores) == (raw.label, raw.score, raw.scores)
    assert sum(raw.scores.values()) == pytest.approx(1)


def test_scores_do_not_overflow():
    assert apply_function("softmax", [1000.0, -1000.0]) == [1.0, 0.0]
    assert apply_function("sigmoid", [1000.0, -1000.0]) == [1.0, 0.0]


def test_a_single_label_without_a_problem_type_gets_a_sigmoid():
    assert default_function({}, 1) == "sigmoid"
    assert default_function({}, 2) == "softmax"


def test_a_temperature_softens_the_scores_and_changes_no_label(tmp_path):
    view = save_tiny(tmp_path, "bert")
    plain = answers(*load(view), TEXTS, Parameters(None, "none"), batch=4)
    (view / "bellwether.json").write_text('{"temperature": 2.5}')
    soft = answers(*load(view), TEXTS, Parameters(None), batch=4)
    for one, other in zip(plain, soft, strict=True):
        logits = {each["label"]: each["score"] / 2.5 for each in one["scores"]}
        expected = apply_function("softmax", list(logits.values()))
        scores = {each["label"]: each["score"] for each in other["scores"]}
        assert [scores[label] for label in logits] == pytest.approx(expected, abs=1e-6)
        assert one["label"] == other["label"]


def test_an_answer_below_the_threshold_is_told_as_a_guess(tmp_path):
    view = save_tiny(tmp_path, "bert")
    (plain,) = answers(*load(view), ["a dog"], Parameters(), batch=1)
    assert "abstained" not in plain
    (view / "bellwether.json").write_text('{"threshold": 1.0}')
    (guess,) = answers(*load(view), ["a dog"], Parameters(), batch=1)
    assert guess == plain | {"abstained": True}
    (asked,) = answers(*load(view), ["a dog"], Parameters(threshold=0.0), batch=1)
    assert asked == plain
