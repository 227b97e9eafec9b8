"""Exports: every row once, as it is, in any format, as a file or over HTTP."""

import csv
import io
import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from access.scopes import Scope
from monitoring.models import Evaluation, Feedback, Prediction
from tests.monitoring.builders import MODEL, NOW, client, make_prediction

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.monitoring.urls")]

WINDOW = ["--from", "2026-11-01", "--to", "2026-12-01"]
QUERY = {"from": "2026-11-01", "to": "2026-12-01"}
ODD = 'tabs\tquotes " commas, line\nbreaks and شكرا 🎉'

ANSWER = '{"generated_text":"a, \\"b\\"","n_generated":2}'


@pytest.fixture
def rows() -> list[Prediction]:
    """Three predictions of two models, one of them labelled, and an evaluation."""
    made = [
        make_prediction(text=ODD, segment="web", answer=ANSWER),
        make_prediction(at=NOW + timedelta(minutes=1), text=None),
        make_prediction(at=NOW + timedelta(minutes=2), model="acme/other"),
    ]
    Feedback.objects.create(
        prediction=made[0], revision=1, label="NEGATIVE", source="audit", at=NOW, weight=50_000
    )
    Evaluation.objects.create(
        model=MODEL, version=1, kind="drift", at=NOW, verdict="OK", details={"n": [1, 2]}
    )
    return made


def test_csv_holds_every_prediction_as_it_is(rows, tmp_path):
    path = tmp_path / "p.csv"
    call_command("export", "predictions", str(path), *WINDOW, "--model", MODEL)
    read = list(csv.DictReader(io.StringIO(path.read_text(), newline="")))
    assert [row["id"] for row in read] == [str(row.id) for row in rows[:2]]
    assert read[0]["text"] == ODD
    assert read[1]["text"] == ""
    assert float(read[0]["score"]) == rows[0].score
    assert json.loads(read[0]["scores"]) == rows[0].scores
    assert [row["answer"] for row in read] == [ANSWER, ""]


def test_feedback_comes_with_its_prediction_and_weight(rows, tmp_path):
    path = tmp_path / "f.jsonl"
    call_command("export", "feedback", str(path), *WINDOW)
    [line] = map(json.loads, path.read_text().splitlines())
    assert line["prediction_id"] == str(rows[0].id)
    assert (line["correct_label"], line["predicted_label"]) == ("NEGATIVE", rows[0].label)
    assert line["weight"] == 50.0


def test_parquet_has_typed_columns(rows, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    path = tmp_path / "p.parquet"
    call_command("export", "predictions", str(path), *WINDOW)
    table = parquet.read_table(path)
    assert table.num_rows == 3
    assert str(table.schema.field("at").type) == "timestamp[us, tz=UTC]"
    assert table["text"].to_pylist() == [ODD, None, "a fine day"]
    call_command("export", "evaluations", str(tmp_path / "e.parquet"), *WINDOW)
    assert parquet.read_table(tmp_path / "e.parquet")["verdict"].to_pylist() == ["OK"]


def test_a_file_is_never_replaced_unasked_nor_left_half_written(rows, tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("mine")
    with pytest.raises(CommandError, match="--force"):
        call_command("export", "predictions", str(path), *WINDOW)
    assert path.read_text() == "mine"
    call_command("export", "predictions", str(path), *WINDOW, "--force")
    assert path.read_text() != "mine"
    assert [found.name for found in Path(tmp_path).iterdir()] == ["p.csv"]


def test_what_cannot_be_written_says_what_to_do(tmp_path):
    for name, words in (("p.xlsx", ".csv"), ("no/such/folder.csv", "cannot be written")):
        with pytest.raises(CommandError, match=words):
            call_command("export", "predictions", str(tmp_path / name), *WINDOW)


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_the_api_streams_the_same_file(rows, tmp_path, format):
    path = tmp_path / f"p.{format}"
    call_command("export", "predictions", str(path), *WINDOW)
    answer = client().get(f"/api/v1/exports/predictions.{format}", QUERY)
    assert answer.status_code == 200
    assert b"".join(answer.streaming_content) == path.read_bytes()
    assert answer["Content-Disposition"] == f'attachment; filename="predictions.{format}"'


def test_parquet_comes_over_http_too(rows):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    answer = client().get("/api/v1/exports/predictions.parquet", QUERY)
    table = parquet.read_table(io.BytesIO(b"".join(answer.streaming_content)))
    answer.close()
    assert table.num_rows == 3


def test_an_export_that_is_too_long_or_makes_no_sense_is_refused(rows, monkeypatch):
    monkeypatch.setattr("monitoring.api.views.exports.MAX_ROWS", 2)
    for path, query, code in (
        ("predictions.csv", QUERY, "invalid_filter"),
        ("secrets.csv", QUERY, "invalid_filter"),
        ("predictions.exe", QUERY, "invalid_filter"),
        ("predictions.csv", {"since": "1"}, "invalid_filter"),
        ("predictions.csv", {"from": "tomorrow"}, "invalid_window"),
    ):
        answer = client().get(f"/api/v1/exports/{path}", query)
        assert answer.status_code == 422
        assert answer.json()["error"]["code"] == code


def test_exports_need_the_scope_read(rows):
    assert client(Scope.PREDICT).get("/api/v1/exports/predictions.csv").status_code == 403
