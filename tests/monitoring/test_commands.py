"""The commands say and do what the API does."""

import io
import json
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from monitoring.models import Feedback, Prediction, PredictionCount
from monitoring.tasks import prune_predictions
from tests.monitoring.builders import MODEL, day_cells, day_counts, make_prediction, register

pytestmark = pytest.mark.django_db


def run(*words: str) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out, stderr=out)
    return out.getvalue()


@pytest.fixture(autouse=True)
def registered() -> None:
    register()


def recent(**changes: object) -> Prediction:
    return make_prediction(at=timezone.now() - timedelta(minutes=5), **changes)


def test_one_label_is_given_by_id() -> None:
    row = recent()
    assert run("feedback", str(row.id), "NEGATIVE").startswith("recorded")
    assert run("feedback", str(row.id), "NEGATIVE", "--source", "user").startswith("unchanged")
    with pytest.raises(CommandError, match="did you mean 'NEGATIVE'"):
        run("feedback", str(row.id), "negative")


def test_a_file_of_labels_is_imported_and_its_bad_lines_are_named(tmp_path: Path) -> None:
    rows = [recent() for _ in range(3)]
    lines = [
        json.dumps({"prediction_id": str(row.id), "correct_label": "NEGATIVE"}) for row in rows
    ]
    path = tmp_path / "labels.jsonl"
    path.write_text("\n".join([lines[0], "", "{broken", *lines[1:], lines[0]]))
    with pytest.raises(CommandError, match="1 lines were not taken"):
        run("feedback", str(path), "--source", "audit")
    assert day_cells() == {("NEGATIVE", "POSITIVE"): 3}
    assert set(Feedback.objects.values_list("source", flat=True)) == {"audit"}
    path.write_text("\n".join(lines))
    assert "3 unchanged" in run("feedback", str(path))


def test_a_csv_file_may_name_sources(tmp_path: Path) -> None:
    one, two = recent(), recent()
    path = tmp_path / "labels.csv"
    path.write_text(
        "prediction_id,correct_label,source,note\r\n"
        f"{one.id},NEGATIVE,delayed,x\r\n{two.id},POSITIVE,,y\r\n"
    )
    assert "2 recorded" in run("feedback", str(path))
    sources = Feedback.objects.order_by("id").values_list("source", flat=True)
    assert list(sources) == ["delayed", "user"]


@pytest.mark.parametrize("name", ["missing.jsonl", "labels.xlsx"])
def test_a_file_that_cannot_be_read_is_said_so(tmp_path: Path, name: str) -> None:
    with pytest.raises(CommandError, match=name):
        run("feedback", str(tmp_path / name))


def test_more_lines_than_one_request_are_imported(tmp_path: Path) -> None:
    row = recent()
    line = json.dumps({"prediction_id": str(row.id), "correct_label": "NEUTRAL"})
    path = tmp_path / "labels.jsonl"
    path.write_text("\n".join([line] * 1500))
    shown = run("feedback", str(path))
    assert "1000 lines" in shown
    assert "1500 lines: 1 recorded, 1499 unchanged" in shown


def test_quality_is_printed_as_a_table_and_as_the_api_s_json() -> None:
    row = recent()
    run("feedback", str(row.id), "NEGATIVE")
    table = run("quality", MODEL, "--by", "version")
    for part in ("1 predicted, 1 labelled (100.0%)", "INSUFFICIENT_DATA", "NEGATIVE", "version 1"):
        assert part in table
    answer = json.loads(run("quality", MODEL, "--json"))
    assert answer["accuracy"]["value"] == 0
    assert "0 predicted, 0 labelled (-)" in run(
        "quality", MODEL, "--from", "2025-01-01", "--to", "2025-01-02"
    )


def test_quality_s_mistakes_are_sentences() -> None:
    for words in (("acme/none",), (MODEL, "--from", "noon"), (MODEL, "--version-number", "x")):
        with pytest.raises(CommandError, match=" "):
            run("quality", *words)


def test_recount_finds_and_repairs_differences() -> None:
    row = recent()
    day = row.at.date().isoformat()
    assert "0 counters differ" in run("recount", MODEL, "--day", day)
    PredictionCount.objects.filter(grain="day").update(n=5)
    with pytest.raises(CommandError, match="--repair"):
        run("recount", MODEL, "--day", day)
    shown = run("recount", MODEL, "--day", day, "--repair")
    assert "counted 5, rows say 1" in shown
    assert day_counts() == {"POSITIVE": 1}
    with pytest.raises(CommandError, match="--day"):
        run("recount", MODEL, "--day", "today")


def test_pruning_removes_old_rows_and_keeps_what_was_counted(
    settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitoring.tasks.CHUNK_ROWS", 2)
    settings.BELLWETHER_RETENTION_DAYS = 10
    for _ in range(5):
        old = make_prediction(at=timezone.now() - timedelta(days=11))
        run("feedback", str(old.id), "NEGATIVE")
    kept = make_prediction(at=timezone.now() - timedelta(days=9))
    assert prune_predictions.call() == 5
    assert list(Prediction.objects.all()) == [kept]
    assert Feedback.objects.count() == 0
    assert day_counts() == {"POSITIVE": 6}
    assert day_cells() == {("NEGATIVE", "POSITIVE"): 5}


def test_labelling_an_unknown_id_is_an_error() -> None:
    with pytest.raises(CommandError, match="No prediction"):
        run("feedback", str(uuid4()), "NEGATIVE")
