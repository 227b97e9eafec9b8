"""Labels from files: each row for itself, what is wrong named by line, twice the same as once."""

import csv
import gzip
import io
import json
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from access.roles import ROLES
from monitoring.dashboard import feedback_files
from monitoring.dashboard.feedback_files import Report, give_file
from monitoring.errors import InvalidFeedback
from monitoring.models import Feedback, Prediction
from tests.access.people import make_person
from tests.monitoring.builders import make_prediction, register

pytestmark = pytest.mark.django_db

NOW = timezone.now()
PAGE = "/admin/feedback/upload/"


@pytest.fixture
def rows() -> list[Prediction]:
    register()
    return [make_prediction(at=NOW - timedelta(hours=1)) for _ in range(4)]


def give(data: bytes | str, source: str = "delayed") -> Report:
    raw = data.encode() if isinstance(data, str) else data
    return give_file(raw, default_source=source, key_id="user:1", now=NOW)


def csv_of(rows: list[Prediction], label: str = "NEGATIVE") -> str:
    return "".join(["prediction_id,correct_label\r\n", *(f"{row.id},{label}\r\n" for row in rows)])


def jsonl_of(rows: list[Prediction], label: str = "NEGATIVE") -> str:
    return "".join(
        json.dumps({"prediction_id": str(row.id), "correct_label": label}) + "\n" for row in rows
    )


FILES = {
    "csv": lambda rows: csv_of(rows).encode(),
    "csv of a spreadsheet": lambda rows: b"\xef\xbb\xbf" + csv_of(rows).encode(),
    "jsonl": lambda rows: jsonl_of(rows).encode(),
    "csv.gz": lambda rows: gzip.compress(csv_of(rows).encode()),
    "jsonl.gz": lambda rows: gzip.compress(jsonl_of(rows).encode()),
}


@pytest.mark.parametrize("kind", FILES)
def test_every_kind_of_file_is_taken_and_again_changes_nothing(
    rows: list[Prediction], kind: str
) -> None:
    data = FILES[kind](rows)
    assert dict(give(data).counts) == {"recorded": 4}
    assert dict(give(data).counts) == {"unchanged": 4}
    said = set(Feedback.objects.values_list("label", "source", "key_id"))
    assert said == {("NEGATIVE", "delayed", "user:1")}


def test_a_wrong_row_harms_no_other_and_is_named_by_its_line(rows: list[Prediction]) -> None:
    good, other, third, _ = rows
    lines = [
        "prediction_id,correct_label,source",
        f"{good.id},NEGATIVE,audit",
        f"{other.id},ANGRY,",
        "not-an-id,NEGATIVE,",
        f"{uuid4()},NEGATIVE,",
        f"{third.id},NEGATIVE,gossip",
        f"{third.id}",
        f"{third.id},,user",
        f"{third.id},POSITIVE,user",
        f"{third.id},NEUTRAL,user",
    ]
    report = give("\n".join(lines))
    assert dict(report.counts) == {"recorded": 2, "revised": 1, "refused": 6}
    assert [each.line for each in report.refused] == [3, 4, 5, 6, 7, 8]
    reasons = " ".join(each.reason for each in report.refused)
    for words in (
        "'ANGRY' is no label",
        "a UUID",
        "is kept",
        "must be one of",
        "cells",
        "1 to 256",
    ):
        assert words in reasons
    assert report.refused[0].prediction_id == str(other.id)
    assert Feedback.objects.get(prediction=good).source == "audit"
    assert Feedback.objects.filter(prediction=third).order_by("-revision")[0].label == "NEUTRAL"


def test_lines_of_json_are_refused_one_by_one(rows: list[Prediction]) -> None:
    text = jsonl_of(rows[:1]) + '\n{"broken": \n[1]\n' + jsonl_of(rows[1:2]) + '{"odd": 1}\n'
    report = give(text)
    assert report.counts == {"recorded": 2, "refused": 3}
    assert [each.line for each in report.refused] == [3, 4, 6]


@pytest.mark.parametrize("source", ["delayed", "audit", "user"])
def test_rows_without_a_source_get_the_chosen_one(rows: list[Prediction], source: str) -> None:
    give(csv_of(rows), source)
    assert set(Feedback.objects.values_list("source", flat=True)) == {source}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "first line"),
        (b"id,label\n1,2\n", "first line"),
        (b"prediction_id,correct_label,text\n", "first line"),
        (b"[1, 2]", "first line"),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"\x1f\x8bnot gzip at all", "damaged"),
        (gzip.compress(b"prediction_id" * 100)[:-9], "damaged"),
    ],
    ids=["empty", "other columns", "more columns", "a list", "bytes", "no gzip", "cut gzip"],
)
def test_what_is_no_such_file_is_refused_whole(data: bytes, words: str) -> None:
    with pytest.raises(InvalidFeedback, match=words):
        give(data)


def test_sizes_are_limited(rows: list[Prediction], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feedback_files, "LARGEST_UNPACKED", 1000)
    with pytest.raises(InvalidFeedback, match="unpacked"):
        give(gzip.compress(b" " * 5000))
    monkeypatch.setattr(feedback_files, "MOST_ROWS", 3)
    with pytest.raises(InvalidFeedback, match="more than 3 rows"):
        give(csv_of(rows))
    monkeypatch.setattr(feedback_files, "LARGEST_BYTES", 10)
    with pytest.raises(InvalidFeedback, match="larger"):
        give(csv_of(rows))


def test_a_long_file_is_taken_in_chunks(
    rows: list[Prediction], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feedback_files, "_CHUNK", 2)
    text = csv_of(rows) + f"{uuid4()},NEGATIVE\r\n"
    report = give(text)
    assert report.counts == {"recorded": 4, "refused": 1}
    assert [each.line for each in report.refused] == [6]


@pytest.mark.parametrize("role", ROLES)
def test_whoever_may_give_feedback_uploads(rows: list[Prediction], role: str) -> None:
    person = Client()
    user = make_person(role)
    person.force_login(user)
    text = csv_of(rows) + "nobody,NEGATIVE\r\n"
    file = SimpleUploadedFile("labels.csv", text.encode())
    if role == "viewer":
        assert person.get(PAGE).status_code == 403
        assert person.post(PAGE, {"file": file}).status_code == 403
        assert not Feedback.objects.exists()
        return
    assert person.get(PAGE).status_code == 200
    answer = person.post(PAGE, {"file": file, "source": "user"})
    assert answer.status_code == 200
    assert dict(answer.context["outcomes"]) == {
        "recorded": 4,
        "revised": 0,
        "unchanged": 0,
        "refused": 1,
    }
    assert "nobody" in answer.text
    assert set(Feedback.objects.values_list("key_id", "source")) == {(f"user:{user.pk}", "user")}


@pytest.mark.parametrize("data", [None, b"\x00\x01"], ids=["no file", "no text"])
def test_a_wrong_upload_says_what_is_wrong(data: bytes | None) -> None:
    person = Client()
    person.force_login(make_person("labeller"))
    body = {} if data is None else {"file": SimpleUploadedFile("x.bin", data)}
    answer = person.post(PAGE, body)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text


def test_the_file_to_begin_with_is_one_that_is_read() -> None:
    path = Path(settings.BASE_DIR) / "monitoring/static/dashboard/feedback-template.csv"
    report = give(path.read_bytes())
    assert report.counts == {"refused": 2}
    assert all("is kept" in each.reason for each in report.refused)
    with path.open(newline="") as file:
        assert tuple(next(csv.reader(io.StringIO(file.read())))) == feedback_files.COLUMNS
