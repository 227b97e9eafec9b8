"""Entities are those of transformers' pipeline: same directory, same texts, batched or not."""

import warnings

import pytest
from transformers import AutoModelForTokenClassification, pipeline

from inference.errors import InvalidRequest, TextTooLong
from inference.tasks import windows
from inference.tasks.token_classification import (
    TokenClassificationParameters as Parameters,
)
from tests.inference.golden.seeded import save_seeded
from tests.inference.golden.texts import CORPUS, LONG, ODD
from tests.inference.loaded import ask, load
from tests.inference.windowed import TAGS, prepare

ARCHITECTURES = ("bert", "distilbert", "roberta", "deberta-v2", "electra")
STRATEGIES = ("none", "simple", "first", "average", "max")
SHORT = (*CORPUS, *ODD)


def save(directory, architecture="bert", tags=TAGS):
    names = {"id2label": dict(enumerate(tags)), "label2id": {tag: i for i, tag in enumerate(tags)}}
    return save_seeded(directory, architecture, AutoModelForTokenClassification, **names)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def view(request, tmp_path_factory):
    return save(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def predictor(view):
    return load(view, "token-classification", TAGS)


@pytest.fixture(scope="module")
def theirs(view):
    return pipeline("token-classification", model=str(view))


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return load(save(tmp_path_factory.mktemp("bert")), "token-classification", TAGS)


def check_alike(ours, theirs):
    assert len(ours) == len(theirs)
    for our, their in zip(ours, theirs, strict=True):
        assert our.keys() == their.keys()
        assert our["score"] == pytest.approx(their["score"], abs=1e-5)
        assert our | {"score": 0} == their | {"score": 0}


def entities(predictor, texts, batch=4, **parameters):
    return [
        answer.fields["entities"]
        for answer in ask(predictor, texts, Parameters(**parameters), batch=batch)
    ]


def fitting(predictor, texts):
    """Those of one window: of longer ones the pipeline reads the beginning only."""
    return [text for text in texts if len(prepare(predictor, text).pieces) == 1]


def said(theirs, texts, **parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [theirs(text, **parameters) for text in texts]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_entities_equal_the_pipelines_batched_or_not(predictor, theirs, strategy):
    texts = fitting(predictor, SHORT)
    assert len(texts) > len(SHORT) - 5
    expected = said(theirs, texts, aggregation_strategy=strategy)
    assert sum(map(len, expected)) > 10
    for batch in (1, 5, 64):
        ours = entities(predictor, texts, batch, aggregation_strategy=strategy)
        for our, their in zip(ours, expected, strict=True):
            check_alike(our, their)


@pytest.mark.parametrize("strategy", STRATEGIES[1:])
def test_a_stride_gives_the_pipelines_entities(predictor, theirs, strategy):
    texts = [LONG, "short"]
    for stride in (0, 9, 40):
        ours = entities(predictor, texts, aggregation_strategy=strategy, stride=stride)
        expected = said(theirs, texts, aggregation_strategy=strategy, stride=stride)
        assert len(expected[0]) > 1
        for our, their in zip(ours, expected, strict=True):
            # Of what stands first and has no characters, the pipeline says twice what it found.
            check_alike(our, their[1:] if their[:1] == their[1:2] else their)


@pytest.mark.parametrize("strategy", ["none", "simple", "max"])
def test_labels_to_ignore_are_the_pipelines(predictor, theirs, strategy):
    texts = fitting(predictor, CORPUS)
    for ignored in ((), ("O", "PER"), ("B-LOC",)):
        ours = entities(predictor, texts, aggregation_strategy=strategy, ignore_labels=ignored)
        expected = said(theirs, texts, aggregation_strategy=strategy, ignore_labels=list(ignored))
        for our, their in zip(ours, expected, strict=True):
            check_alike(our, their)


def test_labels_without_prefixes_equal_the_pipelines(tmp_path):
    tags = ("NOUN", "VERB", "X-Y", "I-Z")
    view = save(tmp_path, tags=tags)
    ours = entities(load(view, "token-classification", tags), CORPUS)
    theirs = pipeline("token-classification", model=str(view), aggregation_strategy="simple")
    for our, text in zip(ours, CORPUS, strict=True):
        check_alike(our, theirs(text))


def test_a_long_text_is_read_to_its_end_without_a_stride(predictor):
    prepared = prepare(predictor, LONG)
    assert len(prepared.pieces) > 3
    assert not prepared.truncated
    (tokens,) = entities(predictor, [LONG], aggregation_strategy="none", ignore_labels=())
    n_added = predictor.task.tokenizer.n_added
    assert len(tokens) == prepared.n_tokens - n_added
    first = tokens[0]["index"]
    assert [token["index"] for token in tokens] == list(range(first, first + len(tokens)))
    assert tokens[-1]["end"] == len(LONG)
    starts = [token["start"] for token in tokens]
    assert starts == sorted(starts)


def test_a_token_of_two_windows_counts_once_where_it_has_most_context(bert):
    room = bert.task.tokenizer.max_tokens - bert.task.tokenizer.n_added
    (tokens,) = entities(bert, [LONG], aggregation_strategy="none", ignore_labels=())
    prepared = prepare(bert, LONG)
    overlap = prepared.context.overlap
    step = room - overlap
    outputs = bert.forward(prepared.pieces)
    for at in (0, room - overlap // 2 - 2, room - overlap // 2 + 1, step + room - overlap // 2 - 1):
        window = 0 if at < room - (overlap - overlap // 2) else 1
        logits = outputs[window].logits[at - window * step + 1]
        assert tokens[at]["entity"] == TAGS[logits.argmax()]


def test_entities_of_one_window_are_the_same_with_a_stride_and_without(bert):
    plain = entities(bert, CORPUS)
    assert entities(bert, CORPUS, stride=3) == plain


def test_a_stride_that_leaves_no_room_is_refused(bert):
    with pytest.raises(InvalidRequest, match="at most 61"):
        prepare(bert, "x", Parameters(stride=62))


def test_a_text_of_too_many_windows_is_refused_with_the_limit(bert, monkeypatch):
    monkeypatch.setattr(windows, "MAX_WINDOWS", 3)
    with pytest.raises(TextTooLong, match="3 are allowed") as refused:
        prepare(bert, LONG)
    assert refused.value.details["field"] == "inputs[0]"


def test_what_is_recorded_does_not_depend_on_what_was_asked(bert):
    plain, *others = (
        ask(bert, [CORPUS[0]], parameters)[0]
        for parameters in (
            Parameters(),
            Parameters("none"),
            Parameters("max", ignore_labels=("PER", "LOC", "ORG")),
        )
    )
    for other in others:
        assert (other.label, other.score, other.scores) == (plain.label, plain.score, plain.scores)


def test_what_is_recorded_are_probabilities_of_few_labels(bert):
    for answer in ask(bert, SHORT):
        assert answer.label in ("entities", "none")
        assert answer.score == answer.scores[answer.label]
        assert set(answer.scores) == {"entities", "none", "PER", "LOC", "ORG"}
        assert all(0 <= score <= 1 for score in answer.scores.values())


def test_a_text_of_no_tokens_has_no_entities(bert):
    (answer,) = ask(bert, ["\u200b"])
    assert answer.fields == {"entities": []}
    assert (answer.label, answer.score) == ("none", 1.0)
