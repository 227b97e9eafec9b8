"""Golden inputs: what may be given, how answers are judged, how they are kept."""

import json

import pytest

from registry import golden
from registry.content import read_json
from registry.errors import ContentRefused
from registry.golden import GoldenCase, GoldenSpec, compare, parse_given
from registry.models import Event
from registry.services.golden import find_without_golden, load_golden, store_golden
from registry.specs import EventKind
from tests.registry.builders import LABELS, build_model_dir, write_json

GIVEN = {
    "tolerance": 0.01,
    "cases": [
        {"input": "good", "label": "POSITIVE", "scores": {"POSITIVE": 0.9}},
        {"input": "", "label": "NEGATIVE"},
    ],
}


def a_case(**changes):
    return {"cases": [{"input": "good", "label": "POSITIVE"} | changes]}


def test_given_cases_are_read_with_their_tolerance():
    spec = parse_given(GIVEN, LABELS)
    assert spec.cases[0] == GoldenCase("good", "POSITIVE", {"POSITIVE": 0.9})
    assert (spec.tolerance, spec.is_given) == (0.01, True)
    assert parse_given(a_case(), LABELS).tolerance == golden.DEFAULT_TOLERANCE


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ([], "a JSON object"),
        ({}, "cases must be a list"),
        ({"cases": []}, "cases must be a list"),
        ({"cases": [{}] * 257}, "cases must be a list"),
        ({"cases": [1]}, "cases[0]"),
        (a_case() | {"tolerance": 0}, "tolerance"),
        (a_case() | {"tolerance": True}, "tolerance"),
        (a_case() | {"tolerance": 0.2}, "tolerance"),
        (a_case() | {"tolerance": float("nan")}, "tolerance"),
        (a_case() | {"more": 1}, "no keys but"),
        (a_case(input=3), "cases[0].input"),
        (a_case(input="x" * 10_001), "cases[0].input"),
        (a_case(input="a\0b"), "cases[0].input"),
        (a_case(input="a\ud800b"), "cases[0].input"),
        (a_case(label="MAYBE"), "MAYBE"),
        (a_case(label=None), "cases[0].label"),
        (a_case(scores={"POSITIVE": "high"}), "cases[0].scores"),
        (a_case(scores={"POSITIVE": float("inf")}), "cases[0].scores"),
        (a_case(scores={"MAYBE": 0.5}), "MAYBE"),
        (a_case(scores=[0.5]), "cases[0].scores"),
        (a_case(path="/etc"), "cases[0]"),
    ],
)
def test_wrong_cases_are_refused_with_the_file_and_the_place(value, place):
    with pytest.raises(ContentRefused) as caught:
        parse_given(value, LABELS)
    assert caught.value.message.startswith("golden.json: ")
    assert place in caught.value.message
    assert caught.value.details == {"path": "golden.json"}


def test_a_task_without_labels_takes_any_label():
    assert parse_given(a_case(label="anything"), ()).cases[0].label == "anything"


CASE = GoldenCase("good", "POSITIVE", {"POSITIVE": 0.9, "NEGATIVE": 0.1})


@pytest.mark.parametrize(
    ("label", "scores", "problem"),
    [
        ("POSITIVE", {"POSITIVE": 0.9005, "NEGATIVE": 0.0995}, ""),
        ("POSITIVE", {"POSITIVE": 0.902, "NEGATIVE": 0.098}, "POSITIVE got"),
        ("NEGATIVE", {"POSITIVE": 0.9, "NEGATIVE": 0.1}, "label NEGATIVE"),
        ("POSITIVE", {"POSITIVE": 0.9}, "no score for NEGATIVE"),
        ("POSITIVE", {"POSITIVE": float("nan"), "NEGATIVE": 0.1}, "POSITIVE got nan"),
    ],
)
def test_answers_are_judged_by_label_and_scores(label, scores, problem):
    assert compare(CASE, label, scores, 0.001).startswith(problem)
    assert bool(compare(CASE, label, scores, 0.001)) == bool(problem)


def test_a_tie_may_fall_either_way():
    tie = GoldenCase("so so", "POSITIVE", {"POSITIVE": 0.5004, "NEGATIVE": 0.4996})
    assert compare(tie, "NEGATIVE", {"POSITIVE": 0.4999, "NEGATIVE": 0.5001}, 0.001) == ""


def test_a_version_with_wrong_golden_inputs_does_not_enter(tmp_path, register):
    folder = build_model_dir(tmp_path / "model-7")
    write_json(folder / "golden.json", a_case(label="MAYBE"))
    from registry import services

    with pytest.raises(ContentRefused, match=r"golden\.json"):
        services.register_directory(folder, "team/tiny", actor="alice")


def test_given_golden_inputs_are_stored_by_the_first_who_asks(tmp_path, db):
    from registry import services

    folder = build_model_dir(tmp_path / "model")
    write_json(folder / "golden.json", GIVEN)
    spec = services.register_directory(folder, "team/tiny", actor="alice")
    assert load_golden(spec.model, spec.number) == parse_given(GIVEN, LABELS)
    assert load_golden(spec.model, spec.number).is_given
    (event,) = Event.objects.filter(kind=EventKind.GOLDEN_SET)
    assert event.details == {"n_cases": 2, "tolerance": 0.01, "is_given": True}


def test_the_first_golden_inputs_stay(register):
    spec = register()
    assert load_golden(spec.model, spec.number) is None
    assert [each.number for each in find_without_golden()] == [1]
    first = GoldenSpec(cases=(CASE,))
    assert store_golden(spec.model, spec.number, first, actor="worker") == first
    other = GoldenSpec(cases=(CASE, CASE))
    assert store_golden(spec.model, spec.number, other, actor="worker") == first
    assert Event.objects.filter(kind=EventKind.GOLDEN_SET).count() == 1
    assert find_without_golden() == ()


def test_new_versions_are_left_alone_for_a_while(register):
    register()
    assert find_without_golden(older_than_s=60) == ()


def test_the_file_is_json_like_any_other(tmp_path):
    file = tmp_path / "golden.json"
    file.write_text(json.dumps(GIVEN))
    assert read_json("golden.json", file) == GIVEN
