import io
import json

import pytest
from django.core.management import CommandError, call_command

from registry import contents, services
from registry.diffs import MAX_EXAMPLES, MAX_LISTED, Change, Contents, diff_versions, flatten
from registry.manifests import ManifestFile
from registry.models import Golden, Version
from registry.safetensors_header import Tensor
from registry.tokenizer_facts import TokenizerFacts, read_tokenizer
from tests.registry.builders import TOKENIZER, build_config, build_model_dir

MODEL = "team/tiny"


def build(**changes: object) -> Contents:
    values: dict = {
        "facts": {},
        "files": {},
        "config": {},
        "labels": (),
        "tokenizer": TokenizerFacts(),
        "tensors": {},
        "metrics": (),
        "golden": (),
    }
    return Contents(**(values | changes))


def test_a_version_does_not_differ_from_itself():
    same = build(config={"a": {"b": [1]}}, labels=("x",), tensors={"w": Tensor("F32", (2,))})
    diff = diff_versions(same, same)
    assert all(part.is_empty for part in diff.parts().values())
    assert diff.has_same_weights
    assert (diff.golden, diff.n_flips) == ((), 0)


def test_configuration_is_compared_key_by_key_down_to_the_leaves():
    before = build(config={"a": 1, "n": {"x": [1, 2], "y": True}, "gone": None})
    after = build(config={"a": 1.5, "n": {"x": [2, 1], "y": True, "z": "new"}})
    config = diff_versions(before, after).config
    assert (config.n_added, config.n_removed, config.n_changed) == (1, 1, 2)
    assert config.listed == (
        Change("a", "1", "1.5"),
        Change("n.x", "[1, 2]", "[2, 1]"),
        Change("n.z", None, "new"),
        Change("gone", "null", None),
    )


def test_a_label_that_moves_to_another_logit_is_a_change():
    labels = diff_versions(build(labels=("NEG", "POS")), build(labels=("POS", "NEG", "MIX"))).labels
    assert labels.listed == (
        Change("NEG", "0", "1"),
        Change("POS", "1", "0"),
        Change("MIX", None, "2"),
    )


def test_vocabularies_are_counted_whole_and_shown_by_example():
    one = TokenizerFacts({f"t{n}": n for n in range(1000)})
    other = TokenizerFacts({f"t{n}": n + (n == 7) for n in range(500)})
    tokens = diff_versions(build(tokenizer=one), build(tokenizer=other)).tokens
    assert (tokens.n_added, tokens.n_removed, tokens.n_changed) == (0, 500, 1)
    assert len(tokens.listed) == 1 + MAX_EXAMPLES
    assert tokens.listed[0] == Change("t7", "7", "8")


def test_tensors_differ_by_name_type_and_shape():
    before = build(tensors={"a": Tensor("F32", (2, 3)), "b": Tensor("F32", (1,))})
    after = build(tensors={"a": Tensor("F16", (2, 4)), "c": Tensor("I64", ())})
    diff = diff_versions(before, after)
    assert diff.tensors.listed == (
        Change("a", "F32 [2, 3]", "F16 [2, 4]"),
        Change("c", None, "I64 []"),
        Change("b", "F32 [1]", None),
    )
    assert diff.parameters.listed == (
        Change("F16", None, "8"),
        Change("I64", None, "1"),
        Change("F32", "7", None),
    )


def test_golden_answers_stand_side_by_side_flips_first():
    def case(text: str, label: str, score: float) -> dict:
        return {"input": text, "label": label, "scores": {label: score}}

    before = [case("a", "POS", 0.9), case("b", "POS", 0.8), case("only", "NEG", 0.7)]
    after = [case("a", "POS", 0.95), case("b", "NEG", 0.6)]
    diff = diff_versions(build(golden=tuple(before)), build(golden=tuple(after)))
    assert diff.n_flips == 1
    assert [(p.input, p.before, p.after) for p in diff.golden] == [
        ("b", "POS 0.8000", "NEG 0.6000"),
        ("a", "POS 0.9000", "POS 0.9500"),
        ("only", "NEG 0.7000", None),
    ]


def test_every_list_and_value_is_cut_and_the_counts_are_not():
    config = {f"k{n:05}": "v" * 10_000 for n in range(5_000)}
    config |= {"k" * 5_000: 1}
    diff = diff_versions(build(), build(config=config))
    assert diff.config.n_added == 5_001
    assert len(diff.config.listed) == MAX_LISTED
    assert max(len(each.after or "") for each in diff.config.listed) == 200
    deep: dict = {}
    for _ in range(500):
        deep = {"d": deep}
    assert len(flatten(deep)) <= 1


@pytest.mark.parametrize("junk", [None, 7, "x", [], [1], {"model": 3}, {"model": {"vocab": 3}}])
def test_a_tokenizer_of_another_shape_counts_as_empty(junk):
    assert read_tokenizer(junk, junk, junk).vocab == {}


def test_vocabularies_of_every_form_are_read():
    assert read_tokenizer({"model": {"vocab": {"a": 0}}}, {}).vocab == {"a": 0}
    assert read_tokenizer({"model": {"vocab": [["a", -1.0], ["b", -2.0]]}}, {}).vocab == {
        "a": 0,
        "b": 1,
    }
    assert read_tokenizer(None, {}, None, ["a", "b"]).vocab == {"a": 0, "b": 1}
    added = {"added_tokens": [{"content": "<x>", "id": 9}, {"id": 1}, 3]}
    assert read_tokenizer(added, {}).vocab == {"<x>": 9}


@pytest.fixture
def two(tmp_path, db) -> None:
    readme = """---
model-index:
- name: x
  results:
  - task: {{type: t}}
    dataset: {{type: d, name: D}}
    metrics: [{{type: f1, value: {}}}]
---
"""
    first = {"README.md": readme.format(0.8).encode()}
    services.register_directory(build_model_dir(tmp_path / "1", files=first), MODEL, actor="a")
    tokenizer = TOKENIZER | {"normalizer": {"type": "Lowercase"}}
    tokenizer["model"] = TOKENIZER["model"] | {"vocab": {"[UNK]": 0, "good": 2, "new": 1}}
    second = {
        "README.md": readme.format(0.9).encode(),
        "tokenizer.json": json.dumps(tokenizer).encode(),
        "tokenizer_config.json": b'{"model_max_length": 128}',
        "extra.txt": b"x",
    }
    labels = ("POSITIVE", "NEGATIVE", "MIXED")
    folder = build_model_dir(
        tmp_path / "2",
        seed=2,
        labels=labels,
        config=build_config(labels, hidden_size=4),
        files=second,
    )
    services.register_directory(folder, MODEL, actor="a")


@pytest.mark.django_db
def test_two_versions_are_compared_by_what_is_stored(two):
    diff = contents.load_diff(MODEL, 1, 2)
    listed = {
        name: {c.name: (c.before, c.after) for c in p.listed} for name, p in diff.parts().items()
    }
    assert listed["config"]["hidden_size"] == (None, "4")
    assert listed["labels"] == {
        "NEGATIVE": ("0", "1"),
        "POSITIVE": ("1", "0"),
        "MIXED": (None, "2"),
    }
    assert listed["tokenizer"]["tokenizer_config.json.model_max_length"] == ("64", "128")
    assert listed["tokenizer"]["tokenizer.json.normalizer.type"] == (None, "Lowercase")
    assert listed["tokens"] == {"good": ("1", "2"), "new": (None, "1"), "bad": ("2", None)}
    assert listed["metrics"] == {"D: f1": ("0.8", "0.9")}
    assert listed["tensors"]["classifier.weight"] == ("F32 [2, 4]", "F32 [3, 4]")
    assert listed["parameters"] == {"F32": ("10", "15")}
    assert set(listed["files"]) >= {"extra.txt", "config.json", "model.safetensors"}
    assert not diff.has_same_weights


@pytest.mark.django_db
def test_the_command_says_it_in_lines(two):
    for number, label in ((1, "POSITIVE"), (2, "NEGATIVE")):
        version = Version.objects.get(number=number)
        Golden.objects.filter(version=version).delete()
        Golden.objects.create(
            version=version,
            cases=[{"input": "good", "label": label, "scores": {label: 0.75}}],
            tolerance=0.001,
            is_given=True,
        )
    out = io.StringIO()
    call_command("diff", MODEL, "1", "2", stdout=out)
    said = out.getvalue().splitlines()
    assert said[0] == "weights: other bytes"
    assert "labels: 2 changed, 1 added" in said
    assert "  + MIXED: 2" in said
    assert "    NEGATIVE: 0 → 1" in said
    assert " !good: POSITIVE 0.7500 → NEGATIVE 0.7500" in said
    with pytest.raises(CommandError, match="no version 9"):
        call_command("diff", MODEL, "1", "9")


def test_the_same_weights_under_other_configuration_are_told_apart():
    weights = {"model.safetensors": ManifestFile("model.safetensors", 1, "0" * 64)}
    other = {"model.safetensors": ManifestFile("model.safetensors", 1, "1" * 64)}
    config = {"config.json": ManifestFile("config.json", 1, "2" * 64)}
    assert diff_versions(build(files=weights), build(files=weights | config)).has_same_weights
    assert not diff_versions(build(files=weights), build(files=other)).has_same_weights
