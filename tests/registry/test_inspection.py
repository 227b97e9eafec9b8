import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from registry import content, inspection
from registry.content import check_content, check_name
from registry.errors import ContentRefused, InvalidPath
from registry.inspection import check_listing, inspect
from registry.specs import Pooling
from tests.registry.builders import build_config, build_model_dir, build_sharded_dir


class Evil:
    def __reduce__(self):
        return print, ("run",)


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("data.pkl", pickle.dumps(Evil()))
    return buffer.getvalue()


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("x"))
    return buffer.getvalue()


def numpy_objects() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([Evil()], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def header(text: bytes, body: bytes = b"") -> bytes:
    return struct.pack("<Q", len(text)) + text + body


HOSTILE = {
    **{f"pickle protocol {n}": pickle.dumps(Evil(), protocol=n) for n in range(6)},
    "zip": zipped(),
    "gzip": gzip.compress(b"x"),
    "tar": tarred(),
    "numpy objects": numpy_objects(),
    "hdf5": b"\x89HDF\r\n\x1a\n" + b"\0" * 64,
    "elf": b"\x7fELF" + b"\0" * 64,
    "script": b"#!/bin/sh\necho run\n",
}

PICKLING = ("a.bin", "a.pt", "a.pth", "a.ckpt", "a.pkl", "a.npy", "a.joblib", "a.h5", "a.keras")
REFUSED_NAMES = (*PICKLING, "a.py", "a.zip", "a.tar.gz", "a", "a.safetensors.bin", "a.SAFETENSORS")
WEIGHTS_AND_JSON = ("a.safetensors", "a.json", "a.model", "a.spm")
ALLOWED_NAMES = (*WEIGHTS_AND_JSON, "a.txt", "a.md", "a.jinja", "a.vocab", "a.merges", "LICENSE")


def listed(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def inspect_dir(folder: Path) -> inspection.Inspected:
    return inspect(folder, listed(folder))


def check_bytes(tmp_path: Path, name: str, data: bytes) -> frozenset[str]:
    (tmp_path / "file").write_bytes(data)
    return check_content(name, tmp_path / "file")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "vocab.txt", "spiece.model"])
@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_content_is_refused_under_any_name(tmp_path, name, data):
    with pytest.raises(ContentRefused) as caught:
        check_bytes(tmp_path, name, data)
    assert caught.value.details["path"] == name
    assert "whatever its name" in caught.value.message


@pytest.mark.parametrize(
    "name",
    REFUSED_NAMES,
)
def test_a_name_that_is_not_on_the_list_is_refused_with_a_remedy(name):
    with pytest.raises(ContentRefused, match=r"Remove the file"):
        check_name(name)


@pytest.mark.parametrize(
    "name",
    ALLOWED_NAMES,
)
def test_a_name_on_the_list_passes(name):
    check_name(f"folder/{name}")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 7,
        struct.pack("<Q", 2**40) + b"{}",
        struct.pack("<Q", 2**64 - 1) + b"{}",
        struct.pack("<Q", 100) + b"{}",
        header(b"[]"),
        header(b"{}", b"tail"),
        header(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}', b"\0" * 4),
        header(
            b'{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},'
            b'"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}',
            b"\0" * 6,
        ),
        save({"a": np.zeros(4, np.float32)})[:-1],
    ],
)
def test_broken_safetensors_are_refused(tmp_path, data):
    with pytest.raises(ContentRefused):
        check_bytes(tmp_path, "model.safetensors", data)


def test_a_huge_header_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(content, "MAX_SAFETENSORS_HEADER_BYTES", 10)
    with pytest.raises(ContentRefused, match="header"):
        check_bytes(tmp_path, "a.safetensors", save({"a": np.zeros(4, np.float32)}))


def test_the_tensor_names_of_safetensors_are_returned(tmp_path):
    assert check_bytes(tmp_path, "a.safetensors", save({"w": np.zeros(4, np.float16)})) == {"w"}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.json", b"{"),
        ("a.json", b"\xff{}"),
        ("a.json", b"[" * 100_000),
        ("a.json", b"1" * 10_000),
        ("a.txt", b"\xff\xfe"),
        ("a.txt", b"a\0b"),
        ("a.md", b"\xc3"),
        ("a.jinja", b"\x00"),
        ("a.model", b"\x08\x01\x0a\x00"),
        ("a.model", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
        ("a.model", b"\x0a\x7f\x0a\x00"),
    ],
)
def test_content_that_is_not_what_its_name_says_is_refused(tmp_path, name, data):
    with pytest.raises(ContentRefused):
        check_bytes(tmp_path, name, data)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.txt", b""),
        ("vocab.txt", b"[PAD]\nc\no\nR\n.\n80\nGLOBAL\n"),
        ("vocab.txt", b".\n"),
        ("merges.txt", "#version: 0.2\nĠ t\n".encode()),
        ("a.model", b"\x0a\x04\x0a\x02ab\x12\x00"),
        ("tokenizer.model", b"IQ== 0\nIg== 1\n"),
        ("tokenizer.json", b'{"model": {"vocab": {"auto_map": 0}}}'),
    ],
)
def test_ordinary_content_passes(tmp_path, name, data):
    assert check_bytes(tmp_path, name, data) == frozenset()


@pytest.mark.parametrize("name", ["a.json", "a.txt", "a.model"])
def test_a_file_over_its_limit_is_refused(tmp_path, monkeypatch, name):
    for limit in ("MAX_JSON_BYTES", "MAX_TEXT_BYTES", "MAX_SENTENCEPIECE_BYTES"):
        monkeypatch.setattr(content, limit, 8)
    with pytest.raises(ContentRefused, match="over 8 bytes"):
        check_bytes(tmp_path, name, b'"aaaaaaaaaaaa"')


@pytest.mark.parametrize("key", ["auto_map", "custom_pipelines"])
@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer_config.json", "sub/processor_config.json"]
)
def test_configuration_that_loads_code_is_refused_at_any_depth(tmp_path, key, name):
    for value in ({key: {}}, {"text_config": {key: {"AutoModel": "other/repo--x.Y"}}}):
        with pytest.raises(ContentRefused, match="loads code"):
            check_bytes(tmp_path, name, json.dumps(value).encode())


def test_code_hidden_behind_a_repeated_key_is_refused(tmp_path):
    with pytest.raises(ContentRefused, match="loads code"):
        check_bytes(tmp_path, "config.json", b'{"a":{"auto_map":{}},"a":{}}')


def test_a_classifier_states_its_facts(model_dir):
    facts = inspect_dir(model_dir)
    assert facts.task == "text-classification"
    assert facts.labels == ("NEGATIVE", "POSITIVE")
    assert facts.pooling is Pooling.MEAN


def test_labels_come_in_logit_order_whatever_their_order_in_the_file(tmp_path):
    labels = {str(n): f"label {n}" for n in reversed(range(12))}
    folder = build_model_dir(tmp_path / "m", config=build_config(id2label=labels))
    assert inspect_dir(folder).labels == tuple(f"label {n}" for n in range(12))


@pytest.mark.parametrize(
    ("config", "labels"),
    [({"num_labels": 3}, ("LABEL_0", "LABEL_1", "LABEL_2")), ({}, ("LABEL_0", "LABEL_1"))],
)
def test_a_model_without_label_names_gets_those_of_transformers(tmp_path, config, labels):
    folder = build_model_dir(tmp_path / "m", config=build_config(id2label=None, **config))
    assert inspect_dir(folder).labels == labels


@pytest.mark.parametrize(
    ("architecture", "task", "n_labels"),
    [
        ("DistilBertForSequenceClassification", "text-classification", 2),
        ("BertForTokenClassification", "token-classification", 2),
        ("RobertaForQuestionAnswering", "question-answering", 0),
        ("T5ForConditionalGeneration", "text2text-generation", 0),
        ("MarianMTModel", "translation", 0),
        ("LlamaForCausalLM", "text-generation", 0),
        ("GPT2LMHeadModel", "text-generation", 0),
        ("BertForMaskedLM", "fill-mask", 0),
        ("BertModel", "feature-extraction", 0),
    ],
)
def test_the_task_follows_from_the_architecture(tmp_path, architecture, task, n_labels):
    folder = build_model_dir(tmp_path / "m", config=build_config(architectures=[architecture]))
    facts = inspect_dir(folder)
    assert (facts.task, len(facts.labels)) == (task, n_labels)


@pytest.mark.parametrize(
    ("modes", "choices", "pooling"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, {}, "cls"),
        ({"pooling_mode_max_tokens": True}, {}, "max"),
        ({"pooling_mode_max_tokens": True}, {"pooling": "mean"}, "mean"),
        ({"pooling_mode_lasttoken": True}, {}, "last"),
        ({"pooling_mode_weightedmean_tokens": True}, {"pooling": "mean"}, "mean"),
        ([], {}, "mean"),
    ],
)
def test_pooling_is_that_of_sentence_transformers_unless_chosen(tmp_path, modes, choices, pooling):
    files = {"1_Pooling/config.json": json.dumps(modes).encode()}
    if choices:
        files["bellwether.json"] = json.dumps(choices).encode()
    folder = build_model_dir(tmp_path, files=files)
    assert inspect_dir(folder).pooling == pooling


@pytest.mark.parametrize(
    "modes",
    [
        {"pooling_mode_weightedmean_tokens": True},
        {"pooling_mode_cls_token": True, "pooling_mode_max_tokens": True},
    ],
)
def test_a_pooling_that_is_not_served_is_refused(tmp_path, modes):
    folder = build_model_dir(tmp_path, files={"1_Pooling/config.json": json.dumps(modes).encode()})
    with pytest.raises(ContentRefused, match=r"1_Pooling/config.json.*bellwether.json"):
        inspect_dir(folder)


@pytest.mark.parametrize("choices", [{"task": "zero-shot-classification"}, {"pooling": "cls"}])
def test_bellwether_json_chooses(tmp_path, choices):
    files = {"bellwether.json": json.dumps(choices).encode()}
    facts = inspect_dir(build_model_dir(tmp_path / "m", files=files))
    assert facts.task == choices.get("task", "text-classification")
    assert facts.pooling == choices.get("pooling", "mean")


@pytest.mark.parametrize(
    "changes",
    [
        {"architectures": None},
        {"architectures": []},
        {"architectures": "BertForSequenceClassification"},
        {"architectures": ["BertForSequenceClassification", "BertModel"]},
        {"architectures": ["ViTForImageClassification"]},
        {"architectures": [None]},
        {"id2label": {"0": "a", "2": "b"}},
        {"id2label": {"0": "a", "1": "a"}},
        {"id2label": {"0": "a", "1": 1}},
        {"id2label": {"0": "a", "1": " "}},
        {"id2label": {"0": "a", "1": "b\n"}},
        {"id2label": {"0": "a", "1": "b" * 257}},
        {"id2label": {}},
        {"id2label": ["a", "b"]},
        {"num_labels": 3},
        {"id2label": None, "num_labels": 10**9},
        {"id2label": None, "num_labels": "2"},
    ],
)
def test_a_configuration_that_leaves_facts_open_is_refused(tmp_path, changes):
    folder = build_model_dir(tmp_path / "m", config=build_config(**changes))
    with pytest.raises(ContentRefused, match=r"^config\.json: ") as caught:
        inspect_dir(folder)
    caught.value.message.encode()


@pytest.mark.parametrize(
    "choices",
    [
        {"temperature": 0},
        {"temperature": "1"},
        {"threshold": 1.5},
        {"threshold": True},
        [],
        {"x": 1},
        {"pooling": "sum"},
        {"pooling": []},
        {"task": "translation"},
        {"task": 1},
    ],
)
def test_wrong_choices_are_refused(tmp_path, choices):
    files = {"bellwether.json": json.dumps(choices).encode()}
    with pytest.raises(ContentRefused, match=r"^bellwether\.json: "):
        inspect_dir(build_model_dir(tmp_path / "m", files=files))


def test_an_unknown_architecture_can_be_told_its_task(tmp_path):
    folder = build_model_dir(
        tmp_path / "m",
        config=build_config(architectures=["NovelThing"]),
        files={"bellwether.json": b'{"task": "text-classification"}'},
    )
    assert inspect_dir(folder).task == "text-classification"


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_model_without_its_essential_files_is_refused(model_dir, name):
    (model_dir / name).unlink()
    with pytest.raises(ContentRefused, match=name):
        inspect_dir(model_dir)


def test_a_sharded_model_passes(tmp_path):
    assert inspect_dir(build_sharded_dir(tmp_path / "m")).task == "text-classification"


@pytest.mark.parametrize(
    "weight_map",
    [
        None,
        {},
        [],
        {"layer1.weight": 1},
        {"layer1.weight": "../model-00001-of-00002.safetensors"},
        {"layer1.weight": "sub/x.safetensors"},
        {"layer1.weight": "model-00001-of-00002.safetensors"},
        {
            "layer1.weight": "model-00001-of-00002.safetensors",
            "layer2.weight": "model-00003-of-00002.safetensors",
        },
        {
            "layer1.weight": "model-00001-of-00002.safetensors",
            "layer9.weight": "model-00002-of-00002.safetensors",
        },
    ],
)
def test_an_index_that_does_not_match_its_shards_is_refused(tmp_path, weight_map):
    folder = build_sharded_dir(tmp_path / "m")
    index = json.dumps({"weight_map": weight_map})
    (folder / "model.safetensors.index.json").write_text(index)
    with pytest.raises(ContentRefused, match=r"index\.json: "):
        inspect_dir(folder)


GOOD = {"config.json": 1, "model.safetensors": 1}


@pytest.mark.parametrize(
    "sizes",
    [
        {**GOOD, "../x.txt": 1},
        {**GOOD, "CONFIG.json": 1},
        {**GOOD, "x.py": 1},
        {**GOOD, "x.txt": inspection.MAX_FILE_BYTES + 1},
        {**GOOD, **{f"{n}.safetensors": inspection.MAX_FILE_BYTES for n in range(9)}},
        {**GOOD, **{f"{n}.txt": 1 for n in range(inspection.MAX_FILES)}},
        {"config.json": 1},
        {},
    ],
)
def test_a_listing_is_refused_before_any_byte_is_read(sizes):
    with pytest.raises((ContentRefused, InvalidPath)):
        check_listing(sizes)


def test_an_ordinary_listing_passes():
    check_listing(GOOD)
