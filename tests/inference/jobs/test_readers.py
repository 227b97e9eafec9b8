"""Files become rows, good and bad; every row counts once, and reading goes on from any place."""

import gzip
import json
import random
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference.errors import JobFileRefused
from inference.jobs.readers import unpacking
from inference.jobs.readers.csv_rows import MAX_REREADS
from inference.jobs.rows import Limits
from tests.inference.jobs.files import (
    LIMITS,
    csv_of,
    faults_of,
    jsonl_of,
    looked,
    packed,
    parquet_of,
    read_all,
    texts_of,
)

CELLS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20
).filter(lambda text: not text.isspace())
PATIENT = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@PATIENT
@given(rows=st.lists(st.tuples(CELLS, CELLS), max_size=20), is_packed=st.booleans())
def test_csv_is_read_as_it_was_written(tmp_path, rows, is_packed):
    data = csv_of([("id", "text"), *rows])
    look = looked(tmp_path, packed(data) if is_packed else data, "csv")
    reads = read_all(look)
    assert texts_of(reads) == [text for _, text in rows]
    assert [read.row.carried for read in reads] == [list(row) for row in rows]


@PATIENT
@given(texts=st.lists(CELLS, min_size=1, max_size=20), is_packed=st.booleans())
def test_json_lines_are_read_as_they_were_written(tmp_path, texts, is_packed):
    data = jsonl_of([{"text": text, "n": n} for n, text in enumerate(texts)])
    look = looked(tmp_path, packed(data) if is_packed else data, "jsonl")
    assert texts_of(read_all(look)) == texts


@PATIENT
@given(data=st.binary(max_size=400), format=st.sampled_from(["csv", "jsonl", "text"]))
def test_any_bytes_are_rows_or_refused_and_no_row_is_there_twice(tmp_path, data, format):
    try:
        reads = read_all(looked(tmp_path, data, format))
    except JobFileRefused:
        return
    lines = [read.row.line for read in reads]
    assert lines == sorted(set(lines))


@PATIENT
@given(
    data=st.lists(
        st.sampled_from([b'"', b",", b"\n", b"\r\n", b"a", b'""', b"\xff", "ü".encode()]),
        max_size=60,
    ).map(b"".join),
    format=st.sampled_from(["csv", "jsonl", "text"]),
)
def test_reading_can_go_on_after_any_row(tmp_path, data, format):
    head = b"a\n" if format == "csv" else b""
    try:
        look = looked(tmp_path, head + data, format)
    except JobFileRefused:
        return
    reads = read_all(look)
    for n, read in enumerate(reads):
        assert read_all(look, read.after) == reads[n + 1 :]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "text", "parquet"])
def test_every_format_goes_on_from_a_place_packed_or_not(tmp_path, kind):
    texts = [f"text {n}" for n in range(130)]
    if kind == "parquet":
        data = parquet_of(tmp_path / "p", {"text": texts})
    else:
        data = {
            "csv": csv_of([["text"], *([text] for text in texts)]),
            "jsonl": jsonl_of(texts),
            "text": "\n".join(texts).encode(),
        }[kind]
    for each in [data] if kind == "parquet" else [data, packed(data)]:
        look = looked(tmp_path, each, kind)
        reads = read_all(look)
        assert texts_of(reads) == texts
        for at in (0, 31, 49, 50, 99, 128):
            assert texts_of(read_all(look, reads[at].after)) == texts[at + 1 :]
        assert read_all(look, reads[-1].after) == []


def test_cells_keep_quotes_commas_and_line_ends(tmp_path):
    text = 'He said "no", then\r\nleft.\nFor good.'
    look = looked(tmp_path, csv_of([["id", "text"], ["1", text], ["2", "b"]]), "csv")
    reads = read_all(look)
    assert texts_of(reads) == [text, "b"]
    assert [read.row.line for read in reads] == [2, 5]


def test_a_quote_that_is_never_closed_costs_one_line(tmp_path):
    data = b'text\ngood\n"lost\nstill\nhere\n'
    reads = read_all(looked(tmp_path, data, "csv"))
    assert texts_of(reads) == ["good", "still", "here"]
    assert faults_of(reads) == [(3, "unreadable_row")]


def test_a_file_of_open_quotes_is_read_in_bounded_time(tmp_path):
    data = b"a,b\n" + b'x","y\n' * 20_000
    reads = read_all(looked(tmp_path, data, "csv", text="a"))
    assert texts_of(reads) == []
    assert len(reads) >= MAX_REREADS
    assert "lines" in reads[-1].row.reason


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"a", "unreadable_row"),
        (b"a,b,c", "unreadable_row"),
        (b'"a"b,c', "unreadable_row"),
        (b"1, ", "empty_text"),
        (b"1,", "empty_text"),
        (b"1,a\0b", "nul_character"),
        (b"1," + b"x" * 1001, "text_too_long"),
        (b"1," + b"x" * 9000, "line_too_long"),
        (b"1,caf\xe9", "not_utf8"),
    ],
)
def test_a_bad_row_of_csv_is_named_and_the_next_is_read(tmp_path, line, fault):
    reads = read_all(looked(tmp_path, b"id,text\n" + line + b"\n2,good\n", "csv"))
    assert faults_of(reads) == [(2, fault)]
    assert texts_of(reads) == ["good"]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"{", "unreadable_row"),
        (b"[1]", "unreadable_row"),
        (b"[" * 5000, "unreadable_row"),
        (b"9" * 5000, "unreadable_row"),
        (b'{"text": "a", "text": "b"}', "unreadable_row"),
        (b'{"other": "a"}', "missing_column"),
        (b'{"text": 1}', "missing_column"),
        (b'{"text": null}', "empty_text"),
        (b'{"text": " \\n"}', "empty_text"),
        (b'{"text": "a\\u0000"}', "nul_character"),
        (b'{"text": "\\ud800"}', "not_utf8"),
        (b'{"text": "caf\xe9"}', "not_utf8"),
        (b'"' + b"x" * 9000 + b'"', "line_too_long"),
    ],
)
def test_a_bad_row_of_json_lines_is_named_and_the_next_is_read(tmp_path, line, fault):
    data = b'{"text": "first"}\n' + line + b'\n{"text": "last"}\n'
    reads = read_all(looked(tmp_path, data, "jsonl"))
    assert faults_of(reads) == [(2, fault)]
    assert texts_of(reads) == ["first", "last"]


def test_every_line_of_plain_text_is_a_row(tmp_path):
    reads = read_all(looked(tmp_path, b"a\n\nb\xff\nc\tc\x85d\n", "text"))
    assert texts_of(reads) == ["a"]
    assert faults_of(reads) == [(2, "empty_text"), (3, "not_utf8"), (4, "not_utf8")]


@pytest.mark.parametrize("format", ["csv", "jsonl", "text"])
def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path, format):
    data = {"csv": b"text\na\n", "jsonl": b'{"text": "a"}\n', "text": b"a\n"}[format]
    look = looked(tmp_path, b"\xef\xbb\xbf" + data, format)
    assert texts_of(read_all(look)) == ["a"]


@pytest.mark.parametrize(
    ("data", "wanted", "message"),
    [
        (b"", {}, "empty"),
        (b"\n", {}, "first line must name"),
        (b"a,b\n1,2\n", {}, "no column 'text'"),
        (b"a,text\n1,2\n", {"label": "y"}, "no column 'y'"),
        (b"text,a,text\n1,2,3\n", {}, "'text' is there twice"),
        (b'text,"a\n', {}, "line 1"),
        (b"PAR1xxxx", {}, "it is Parquet"),
        ("text\na\n".encode("utf-16"), {}, "UTF-16"),
        (b"\x1f\x8b\x08\x00garbage", {}, "damaged|cut short"),
        (gzip.compress(b"text\n" + random.Random(1).randbytes(5000))[:-4000], {}, "cut short"),
        (",".join(f"c{n}" for n in range(1200)).encode() + b"\n", {"text": "c1"}, "1000 are allow"),
        (b"text," + b"x" * 300 + b"\n", {}, "200 characters"),
    ],
)
def test_what_is_no_such_file_is_refused_at_once(tmp_path, data, wanted, message):
    with pytest.raises(JobFileRefused, match=message):
        read_all(looked(tmp_path, data, "csv", **wanted))


def test_the_only_column_is_the_text_whatever_it_is_called(tmp_path):
    assert looked(tmp_path, b"review\na\n", "csv").source.layout.text == "review"
    assert looked(tmp_path, b'{"review": "a"}\n', "jsonl").source.layout.text == "review"


def test_a_text_column_that_no_line_has_is_refused(tmp_path):
    with pytest.raises(JobFileRefused, match="no column 'body'"):
        looked(tmp_path, jsonl_of([{"text": "a", "n": 1}]), "jsonl", text="body")


def test_labels_are_texts_whatever_they_were(tmp_path):
    items = [{"text": "a", "y": 1}, {"text": "b", "y": "POSITIVE"}, {"text": "c"}]
    reads = read_all(looked(tmp_path, jsonl_of(items), "jsonl", label="y"))
    assert [read.row.label for read in reads] == ["1", "POSITIVE", None]


def test_labels_that_no_database_takes_are_made_harmless(tmp_path):
    data = b'{"text": "a", "y": "\\ud800\\u0000b"}\n{"text": "a", "y": [1]}\n'
    reads = read_all(looked(tmp_path, data, "jsonl", label="y"))
    assert [read.row.label for read in reads] == ["??b", "[1]"]


def test_a_gzip_bomb_is_refused_while_it_is_small(tmp_path):
    bomb = gzip.compress(bytes(4 * unpacking.FREE_BYTES))
    with pytest.raises(JobFileRefused, match="200 times its size"):
        read_all(looked(tmp_path, bomb, "text"))


def test_more_unpacked_bytes_than_allowed_are_refused(tmp_path):
    small = Limits(max_unpacked_bytes=10_000)
    with pytest.raises(JobFileRefused, match="10000 bytes unpacked"):
        looked(tmp_path, packed(b"abc\n" * 5000), "text", limits=small)


def test_members_of_gzip_follow_each_other_and_zeros_may_follow(tmp_path):
    data = packed(b"a\n") + packed(b"") + packed(b"b\n") + bytes(100)
    assert texts_of(read_all(looked(tmp_path, data, "text"))) == ["a", "b"]


def test_gzip_that_is_cut_short_gives_what_was_there(tmp_path):
    texts = [str(zlib.crc32(str(n).encode())) for n in range(20_000)]
    look = looked(tmp_path, packed("\n".join(texts).encode())[:-20_000], "text")
    from inference.jobs.readers import read_rows
    from inference.jobs.rows import Place

    rows, found = read_rows(look.source, Place(), LIMITS), []
    with pytest.raises(JobFileRefused, match="cut short"):
        found.extend(read.row.text for read in rows)
    rows.close()
    assert found == texts[: len(found)]


def test_parquet_with_nested_columns_and_nulls_is_read(tmp_path):
    columns = {"text": ["a", None, "c"], "tags": [[1], [], None], "at": [{"x": 1}] * 3}
    look = looked(tmp_path, parquet_of(tmp_path / "p", columns), "parquet")
    reads = read_all(look)
    assert look.n_rows == 3
    assert texts_of(reads) == ["a", "c"]
    assert faults_of(reads) == [(2, "empty_text")]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": [["a"]]}, "does not hold texts"),
        ({"text": [{"a": "b"}]}, "does not hold texts"),
        ({"text": [1]}, "does not hold texts"),
        ({"a": ["x"], "b": ["y"]}, "no column 'text'"),
    ],
)
def test_parquet_without_a_column_of_texts_is_refused(tmp_path, columns, message):
    with pytest.raises(JobFileRefused, match=message):
        looked(tmp_path, parquet_of(tmp_path / "p", columns), "parquet")


def test_one_huge_text_in_many_rows_of_parquet_is_read_a_few_rows_at_a_time(tmp_path):
    data = parquet_of(tmp_path / "p", {"text": ["x" * 20_000_000] * 40}, group=40)
    assert len(data) < 25_000_000
    reads = read_all(looked(tmp_path, data, "parquet"))
    assert faults_of(reads) == [(n, "text_too_long") for n in range(1, 41)]


@pytest.mark.parametrize("cut", [10, 500, 900])
def test_damaged_parquet_is_refused(tmp_path, cut):
    data = parquet_of(tmp_path / "p", {"text": [f"text {n}" for n in range(300)]})
    for damaged in (data[:cut], data[:cut] + bytes(64) + data[cut + 64 :]):
        try:
            reads = read_all(looked(tmp_path, damaged, "parquet"))
        except JobFileRefused:
            continue
        assert len(reads) == 300


def test_numbers_in_json_stay_what_they_are(tmp_path):
    line = b'{"text": "a", "n": 12345678901234567890, "x": 1e400}\n'
    [read] = read_all(looked(tmp_path, line, "jsonl"))
    assert json.dumps(read.row.carried["n"]) == "12345678901234567890"
