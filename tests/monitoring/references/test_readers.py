"""Texts from files: what is read, and what is said of a file that is no good."""

import gzip
import io
import json

import pytest

from monitoring.errors import InvalidReference, UnknownLabel
from monitoring.references import readers
from monitoring.references.readers import (
    FEWEST_TEXTS,
    MOST_TEXTS,
    Columns,
    Row,
    Shape,
    check_rows,
    parse_items,
    read_rows,
    shape_of,
)

LABELS = ("NEGATIVE", "NEUTRAL", "POSITIVE")


def read(text: str | bytes, shape: Shape, columns: Columns | None = None) -> list[Row]:
    return read_rows(io.BytesIO(text if isinstance(text, bytes) else text.encode()), shape, columns)


def many(*rows: Row) -> list[Row]:
    return [*rows, *(Row(f"text {n}", None, n) for n in range(FEWEST_TEXTS))]


def check(*rows: Row) -> list[tuple[str, str | None]]:
    return check_rows(many(*rows), LABELS, max_chars=100)[: len(rows)]


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("a.jsonl", Shape.JSONL),
        ("a.b.jsonl.gz", Shape.JSONL),
        ("A.NDJSON", Shape.JSONL),
        ("a.csv.gz", Shape.CSV),
        ("/data/a.txt", Shape.PLAIN),
    ],
)
def test_the_name_tells_the_shape(name: str, shape: Shape) -> None:
    assert shape_of(name) is shape


@pytest.mark.parametrize("name", ["a", "a.json", "a.xlsx", "a.gz", ""])
def test_a_name_that_tells_no_shape_is_refused_with_those_that_do(name: str) -> None:
    with pytest.raises(InvalidReference, match=r"\.jsonl, \.csv or \.txt") as caught:
        shape_of(name)
    assert caught.value.details["field"] == "file"


def test_json_lines_hold_objects_or_texts_and_may_have_blank_lines() -> None:
    text = '{"text": "good", "label": 1}\n\n"plain\\nly"\r\n{"text": "bad", "label": "NEGATIVE"}'
    assert read(text, Shape.JSONL) == [
        Row("good", 1, 1),
        Row("plain\nly", None, 3),
        Row("bad", "NEGATIVE", 4),
    ]


def test_a_line_separator_inside_a_text_ends_no_line() -> None:
    text = json.dumps({"text": "one\u2028two\x85three"}, ensure_ascii=False)
    assert [row.text for row in read(text, Shape.JSONL)] == ["one\u2028two\x85three"]


def test_csv_fields_may_hold_newlines_and_other_columns() -> None:
    text = '\ufeffid,text,label\n1,"good,\nreally",POSITIVE\n2,bad,\n'
    assert read(text, Shape.CSV) == [Row("good,\nreally", "POSITIVE", 3), Row("bad", None, 4)]


def test_columns_can_be_named() -> None:
    rows = read("body,stars\nfine,2\n", Shape.CSV, Columns("body", "stars"))
    assert rows == [Row("fine", "2", 2)]


def test_a_label_column_that_was_named_must_be_there() -> None:
    with pytest.raises(InvalidReference, match="no column 'stars'"):
        read("text\nfine\n", Shape.CSV, Columns("text", "stars"))


def test_plain_text_has_a_text_a_line() -> None:
    assert read("one\r\n\n two \n", Shape.PLAIN) == [Row("one", None, 1), Row(" two ", None, 3)]


def test_gzip_is_seen_by_its_bytes_and_may_have_members() -> None:
    data = gzip.compress(b"one\n") + gzip.compress(b"two\n")
    assert [row.text for row in read(data, Shape.PLAIN)] == ["one", "two"]


@pytest.mark.parametrize(
    ("data", "shape", "message"),
    [
        ('{"text": "a"}\n{"text": ', Shape.JSONL, "Line 2: it is not JSON"),
        ('{"body": "a"}', Shape.JSONL, "Line 1: it must be an object"),
        ('{"text": 3}', Shape.JSONL, "Line 1: it must be an object"),
        ('{"text": "a", "label": [1]}', Shape.JSONL, "Line 1: a label is a name"),
        ('{"text": "a", "label": true}', Shape.JSONL, "Line 1: a label is a name"),
        ("[" * 100_000, Shape.JSONL, "Line 1: it is not JSON"),
        ("body\na\n", Shape.CSV, "Line 1: there is no column 'text'"),
        ("", Shape.CSV, "there is no column 'text'"),
        ('text\n"a', Shape.CSV, "it is not CSV"),
        (b"fine\nnot \xff fine", Shape.PLAIN, "Line 2: it is not UTF-8"),
        (gzip.compress(b"one\n" * 100, mtime=0)[:20], Shape.PLAIN, "cut short"),
        (b"\x1f\x8bnonsense" * 9, Shape.PLAIN, "cannot be unpacked"),
    ],
)
def test_a_file_that_is_no_good_is_refused_with_the_line(
    data: str | bytes, shape: Shape, message: str
) -> None:
    with pytest.raises(InvalidReference, match=message):
        read(data, shape)


def test_a_file_may_not_be_larger_than_the_bound_even_when_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readers, "MOST_BYTES", 1024 * 1024)
    with pytest.raises(InvalidReference, match="more than 1 MB"):
        read(b"a" * (1024 * 1024 + 1), Shape.PLAIN)
    bomb = gzip.compress(b"a" * (64 * 1024 * 1024))
    assert len(bomb) < 100_000
    with pytest.raises(InvalidReference, match="more than 1 MB"):
        read(bomb, Shape.PLAIN)


def test_more_texts_than_the_bound_are_refused() -> None:
    with pytest.raises(InvalidReference, match="more than 50000 texts"):
        read("a\n" * (MOST_TEXTS + 1), Shape.PLAIN)
    with pytest.raises(InvalidReference, match="more than 50000 texts"):
        parse_items(["a"] * (MOST_TEXTS + 1))


def test_a_list_may_mix_texts_and_objects() -> None:
    assert parse_items(["a", {"text": "b", "label": "POSITIVE"}]) == [
        Row("a", None, 1),
        Row("b", "POSITIVE", 2),
    ]


def test_labels_are_names_or_numbers_in_the_versions_order() -> None:
    rows = [Row("a", "NEUTRAL", 1), Row("b", 2, 2), Row("c", "0", 3), Row("d", None, 4)]
    assert [label for _, label in check(*rows)] == ["NEUTRAL", "POSITIVE", "NEGATIVE", None]


def test_a_number_that_is_a_name_means_the_name() -> None:
    rows = many(Row("a", "1", 1), Row("b", 1, 2))
    checked = check_rows(rows, ("1", "0"), max_chars=100)
    assert [label for _, label in checked[:2]] == ["1", "1"]


@pytest.mark.parametrize("label", ["positive", "3", 3, "-1", -1, "", "٣"])
def test_another_label_is_refused_with_the_line_and_what_is_allowed(label: str | int) -> None:
    with pytest.raises(UnknownLabel, match="Line 7") as caught:
        check(Row("a", label, 7))
    assert caught.value.details["allowed"] == list(LABELS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  \t", "Line 9: it is empty"),
        ("a\0b", "Line 9: it holds a NUL"),
        ("a" * 101, "Line 9: it has 101 characters; 100 are allowed"),
        ("\ud800", "Line 9: it holds half of a surrogate pair"),
    ],
)
def test_a_text_that_no_model_can_answer_is_refused_with_the_line(text: str, message: str) -> None:
    with pytest.raises(InvalidReference, match=message):
        check(Row(text, None, 9))


def test_too_few_texts_are_refused_with_the_number() -> None:
    with pytest.raises(InvalidReference, match="200 to 50,000 texts, not 1"):
        check_rows([Row("a", None, 1)], LABELS, max_chars=100)
