"""What the journal gets of a request: facts of its texts, whom it is about, or why it failed."""

import json
from pathlib import Path

import msgspec
import pytest

from inference.describing import UNDESCRIBED, Describer
from inference.records import FAILED, LIVE
from inference.redaction import Redactor
from inference.service import LONG_CHARS
from inference.tasks.ports import Encoded
from inference.tasks.remote_text_classification import RemoteTextClassification
from inference.tasks.tokenizing import TextTokenizer
from tests.inference.conftest import Plane
from tests.inference.doubles import WordTask, word_id
from tests.inference.tiny import save_tiny


def test_facts_of_each_text_are_recorded(plane: Plane) -> None:
    plane.predict(["a good film", "хороший фильм", "A  good FILM"])
    latin, cyrillic, repeated = plane.recorder.records
    assert [r.script for r in plane.recorder.records] == ["Latn", "Cyrl", "Latn"]
    assert not any(r.is_empty for r in plane.recorder.records)
    assert latin.fingerprint == repeated.fingerprint != cyrillic.fingerprint


def test_a_subject_is_recorded_as_a_keyed_hash_only(plane: Plane) -> None:
    assert plane.predict("good", subject="ann@example.org").status_code == 200
    plane.predict("good", subject="ann@example.org")
    plane.predict("good", subject="bob@example.org")
    plane.predict("good")
    subjects = [record.subject for record in plane.recorder.records]
    assert subjects[0] == subjects[1] != subjects[2]
    assert subjects[3] == ""
    written = b"".join(msgspec.msgpack.encode(record) for record in plane.recorder.records)
    assert b"example.org" not in written


def test_a_subject_too_long_is_refused(plane: Plane) -> None:
    response = plane.predict("good", subject="s" * 201)
    assert (response.status_code, response.json()["error"]["code"]) == (422, "invalid_request")
    assert "subject" in response.json()["error"]["message"]


def test_texts_are_redacted_before_they_are_recorded(plane: Plane) -> None:
    plane.service._describer = Describer(redactor=Redactor(["email"]))
    plane.predict(["mail ann@example.org", {"text": "good", "text_pair": "bob@example.org"}])
    plane.predict("bob@example.org " + "x" * LONG_CHARS)
    texts = [record.text for record in plane.recorder.records]
    assert texts == ["mail [email]", "good\n[email]", "[email] " + "x" * LONG_CHARS]


def test_a_text_that_cannot_be_described_is_answered_and_not_kept(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(text: str) -> None:
        raise RuntimeError("no pattern")

    monkeypatch.setattr(plane.service._describer, "describe", broken)
    assert plane.predict("good").status_code == 200
    (record,) = plane.recorder.records
    assert (record.text, record.script, record.fingerprint) == (None, "", UNDESCRIBED.fingerprint)


def test_a_failed_request_is_recorded_by_its_code_and_without_its_text(plane: Plane) -> None:
    response = plane.predict(["good", "poison"], segment="web", subject="ann")
    code = response.json()["error"]["code"]
    (record,) = plane.recorder.records
    assert (record.route, record.label, record.version) == (FAILED, code, 1)
    assert (record.model, record.segment, record.dialect) == ("team/model", "web", "native")
    assert (record.text, record.scores, record.embedding, record.subject) == (None, {}, b"", "")
    assert record.total_s > 0
    assert "poison" not in json.dumps(msgspec.to_builtins(record))


def test_a_bug_is_recorded_as_one(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: WordTask, *args: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(WordTask, "decode", broken)
    assert plane.predict("good").status_code == 500
    assert [(r.route, r.label) for r in plane.recorder.records] == [(FAILED, "internal_error")]


def test_who_pins_a_version_is_no_sample_of_its_failures(plane: Plane) -> None:
    headers = {"Authorization": "Bearer good-key", "X-Model-Pin": "1"}
    path = "/api/v1/models/team/model/predict"
    response = plane.call("POST", path, json={"inputs": "poison"}, headers=headers)
    assert response.status_code >= 400
    assert plane.recorder.records == []


def test_a_recorder_that_fails_changes_no_error(plane: Plane) -> None:
    expected = plane.predict("poison").json()["error"]

    def broken(records: object) -> None:
        raise OSError("no space left on device")

    plane.recorder.record = broken  # type: ignore[method-assign]
    assert plane.predict("poison").json()["error"]["code"] == expected["code"]


def test_unknown_tokens_are_counted(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    encode = WordTask.encode

    def counting(
        self: WordTask, inputs: list[str], parameters: object, *, short: bool
    ) -> list[Encoded]:
        return [
            Encoded(each.ids, None, False, n_unknown=each.ids.count(word_id("zzz")))
            for each in encode(self, inputs, parameters, short=short)
        ]

    monkeypatch.setattr(WordTask, "encode", counting)
    plane.predict(["good zzz zzz", "good"])
    assert [record.n_unknown for record in plane.recorder.records] == [2, 0]
    assert {record.route for record in plane.recorder.records} == {LIVE}


def test_a_tokenizer_says_what_its_vocabulary_lacks(tmp_path: Path) -> None:
    tokenizer = TextTokenizer(save_tiny(tmp_path, "bert"))
    known, unknown = tokenizer.encode(["a film", "a 電影 film 電影"], short=True)
    assert known.n_unknown == 0
    assert unknown.n_unknown == unknown.ids.count(tokenizer._unknown_id) > 0


def test_an_unknown_token_with_another_meaning_counts_nothing(tmp_path: Path) -> None:
    view = save_tiny(tmp_path, "bert")
    config = json.loads((view / "tokenizer_config.json").read_text())
    config["eos_token"] = config["unk_token"]
    (view / "tokenizer_config.json").write_text(json.dumps(config))
    (encoded,) = TextTokenizer(view).encode(["a 電影 film"], short=True)
    assert encoded.n_unknown == 0


def test_an_endpoint_s_tokens_are_not_known_here() -> None:
    task = RemoteTextClassification(["A"], timeout_s=1)
    (encoded,) = task.encode(["電影"], task.defaults, short=True)
    assert encoded.n_unknown == 0
