"""Answers are those of transformers 4.57's pipeline, recorded: the last that had one."""

import json
from pathlib import Path

import pytest
from transformers import AutoModelForQuestionAnswering

from inference.errors import InvalidRequest, TextTooLong
from inference.tasks import windows
from inference.tasks.inputs import Question
from inference.tasks.question_answering import QuestionAnsweringParameters as Parameters
from tests.inference.golden.questions import CASES
from tests.inference.golden.seeded import fingerprint, save_seeded
from tests.inference.golden.texts import CORPUS, LONG, ODD
from tests.inference.loaded import ask, load
from tests.inference.windowed import prepare

RECORDED = json.loads((Path(__file__).parent / "golden" / "question_answering.json").read_bytes())
WHO = "Who wrote the first program?"


def save(directory, architecture="bert", positions=64):
    return save_seeded(directory, architecture, AutoModelForQuestionAnswering, positions=positions)


@pytest.fixture(
    scope="module",
    params=RECORDED["models"],
    ids=lambda model: f"{model['architecture']}-{model['positions']}",
)
def recorded(request):
    return request.param


@pytest.fixture(scope="module")
def view(recorded, tmp_path_factory):
    return save(tmp_path_factory.mktemp("qa"), recorded["architecture"], recorded["positions"])


@pytest.fixture(scope="module")
def predictor(view):
    return load(view, "question-answering")


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return load(save(tmp_path_factory.mktemp("bert")), "question-answering")


def answers(predictor, case, batch=4):
    (decoded,) = ask(
        predictor,
        [Question(case["question"], case["context"])],
        Parameters(**case["parameters"]),
        batch=batch,
    )
    fields = decoded.fields
    return fields.get("answers", [fields])


def check_alike(ours, theirs, case):
    for our, their in zip(ours, theirs, strict=True):
        assert our.pop("score") == pytest.approx(their["score"], abs=1e-4), case
        assert our == {name: their[name] for name in ("answer", "start", "end")}, case


def test_the_weights_are_those_that_were_recorded(recorded, view):
    assert fingerprint(view) == recorded["weights"]


@pytest.mark.parametrize("batch", [1, 7])
def test_answers_equal_the_recorded_ones(recorded, predictor, batch):
    n_compared = 0
    for case, theirs in zip(CASES, recorded["answers"], strict=True):
        if theirs is not None:
            check_alike(answers(predictor, case, batch), theirs, case)
            n_compared += 1
    assert n_compared > 120


def test_recorded_answers_are_of_every_kind():
    said = [
        (case["context"], answers)
        for model in RECORDED["models"]
        for case, answers in zip(CASES, model["answers"], strict=True)
        if answers
    ]
    assert any(answers[0]["answer"] == "" for _, answers in said)
    assert any(len(answers) > 5 for _, answers in said)
    assert any(answers[0]["start"] == 0 and answers[0]["end"] > 0 for _, answers in said)
    assert any(answers[0]["end"] == len(context) for context, answers in said)


def test_questions_batched_are_answered_as_alone(bert):
    questions = [Question(WHO, text) for text in (*CORPUS, LONG, *ODD)]
    together = ask(bert, questions, batch=8)
    for question, answer in zip(questions, together, strict=True):
        (alone,) = ask(bert, [question], batch=1)
        assert answer.fields["answer"] == alone.fields["answer"]
        assert answer.score == pytest.approx(alone.score, abs=1e-5)


def test_a_long_context_is_read_to_its_end(bert):
    prepared = prepare(bert, Question(WHO, LONG))
    assert len(prepared.pieces) > 3
    assert not prepared.truncated
    assert prepared.context.windows[-1].offsets[-2][1] == len(LONG)
    tokenizer = bert.task.tokenizer
    n = sum(len(tokenizer.tokenize(text, short=True)) for text in (WHO, LONG))
    assert prepared.n_tokens == n + tokenizer.n_added_to_pair


def test_a_question_is_cut_where_asked(bert):
    long = " ".join([WHO] * 4)
    with pytest.raises(InvalidRequest, match="no room for a context"):
        prepare(bert, Question(" ".join([WHO] * 30), CORPUS[0]))
    prepared = prepare(bert, Question(long, LONG), Parameters(max_question_len=10))
    assert prepared.truncated
    n_question = prepared.context.windows[0].sequence_ids.count(0)
    assert n_question == 10
    assert all(piece.n_tokens <= 64 for piece in prepared.pieces)


def test_a_long_question_leaves_smaller_windows_a_smaller_overlap(bert):
    question = Question(" ".join([WHO] * 3), LONG)
    (answer,) = ask(bert, [question])
    assert answer.fields["answer"] in LONG


def test_a_stride_that_leaves_no_room_is_refused(bert):
    with pytest.raises(InvalidRequest, match="can be shared") as refused:
        prepare(bert, Question(WHO, LONG), Parameters(doc_stride=60))
    assert refused.value.details["field"] == "parameters.doc_stride"
    prepare(bert, Question(WHO, "short"), Parameters(doc_stride=60))


def test_longer_windows_than_the_model_reads_are_its_longest(bert):
    prepared = prepare(bert, Question(WHO, LONG), Parameters(max_seq_len=10_000, doc_stride=9))
    assert max(piece.n_tokens for piece in prepared.pieces) == 64


def test_a_context_of_too_many_windows_is_refused_with_the_limit(bert, monkeypatch):
    monkeypatch.setattr(windows, "MAX_WINDOWS", 3)
    with pytest.raises(TextTooLong, match="3 are allowed") as refused:
        prepare(bert, Question(WHO, LONG))
    assert refused.value.details["field"] == "inputs[0].context"


def test_what_is_recorded_are_probabilities_of_two_labels(bert):
    for parameters in (Parameters(), Parameters(top_k=3, handle_impossible_answer=True)):
        for answer in ask(bert, [Question(WHO, text) for text in (*CORPUS, LONG)], parameters):
            assert set(answer.scores) == {"answer", "no_answer"}
            assert answer.score == answer.scores[answer.label]
            assert all(0 <= score <= 1 for score in answer.scores.values())
            assert (answer.label == "no_answer") == (answer.fields["answer"] == "")


def test_the_scores_recorded_do_not_depend_on_what_was_asked(bert):
    question = Question(WHO, CORPUS[0])
    plain, other = (
        ask(bert, [question], parameters)[0]
        for parameters in (Parameters(), Parameters(5, handle_impossible_answer=True))
    )
    assert plain.scores == other.scores


def test_a_context_of_no_tokens_has_no_answer(bert):
    (answer,) = ask(bert, [Question(WHO, "\u200b")])
    assert answer.fields == {"answer": "", "score": 0.0, "start": 0, "end": 0}
    assert answer.label == "no_answer"


def test_a_question_is_no_answer_whichever_side_is_padded(tmp_path):
    view = save(tmp_path)
    path = view / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"padding_side": "left"}))
    predictor = load(view, "question-answering")
    question = Question(WHO, LONG)
    prepared = prepare(predictor, question)
    assert prepared.context.sequence == 0
    (answer,) = ask(predictor, [question], Parameters(top_k=20))
    assert all(
        LONG[each["start"] : each["end"]] == each["answer"] for each in answer.fields["answers"]
    )
