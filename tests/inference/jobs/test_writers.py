"""Results of tasks that answer with more than a label hold the whole answer, in every format."""

import csv
import io
import json

import pytest

from inference.jobs.rows import Answered, Format, Layout, Row
from inference.jobs.writers import Shape, make_writer

ANSWER = {"entities": [{"word": 'Ann\t\n"é"', "score": 0.5, "start": 0, "end": 3}] * 900}
TASKS = ("token-classification", "question-answering", "fill-mask", "summarization")


def write(format: Format, task: str) -> bytes:
    names = ("text",) if format is Format.CSV else ()
    carried = {Format.CSV: ["some text"], Format.JSONL: {"text": "some text"}}.get(format)
    shape = Shape(format, False, Layout("text", names=names), task, keeps_columns=False)
    writer = make_writer(shape)
    row = Row(1, "some text", None, carried)
    return writer.head() + writer.encode([Answered(row, "entities", 0.5, ANSWER, 3, "an-id")])


@pytest.mark.parametrize("task", TASKS)
def test_csv_and_json_lines_hold_the_whole_answer(task: str) -> None:
    csv.field_size_limit(1 << 20)
    [row] = csv.DictReader(io.StringIO(write(Format.CSV, task).decode(), newline=""))
    assert list(row) == ["line", "text", "answer", "version", "prediction_id"]
    assert json.loads(row["answer"]) == ANSWER
    item = json.loads(write(Format.JSONL, task))
    assert (item["answer"], item["version"], item["prediction_id"]) == (ANSWER, 3, "an-id")


def test_plain_text_holds_it_between_two_tabs() -> None:
    _, line = write(Format.TEXT, TASKS[0]).decode().splitlines()
    _, answer, *_, text = line.split("\t")
    assert (json.loads(answer), text) == (ANSWER, "some text")


def test_parquet_holds_it_as_json() -> None:
    pa = pytest.importorskip("pyarrow")
    batch = pa.table({"text": ["some text"]}).to_batches()[0]
    shape = Shape(Format.PARQUET, False, Layout("text", names=("text",)), TASKS[0], True)
    row = Row(1, "some text", None, (batch, 0))
    data = make_writer(shape).encode([Answered(row, "entities", 0.5, ANSWER, 3, "an-id")])
    [found] = pa.ipc.open_stream(data).read_all().to_pylist()
    assert json.loads(found["answer"]) == ANSWER
