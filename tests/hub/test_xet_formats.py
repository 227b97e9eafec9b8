import io
import random

import pytest

from registry.hub.xet.places import Lengths, Piece, Span, add_pieces, is_complete, locate
from registry.hub.xet.shards import ChunkRange, hash_text, read_shard
from registry.hub.xet.xorbs import MAX_CHUNK_BYTES, XorbReader
from tests.hub.xet_builders import (
    END,
    GROUPED,
    LZ4,
    RAW,
    chunk,
    file_entry,
    hash_bytes,
    name_of,
    shard,
    xorb,
)

A, B = name_of("a"), name_of("b")


def read_xorb(data: bytes, step: int = 1 << 20) -> list[bytes]:
    reader = XorbReader()
    chunks = []
    for at in range(0, len(data), step):
        chunks += reader.feed(data[at : at + step])
    reader.close()
    assert reader.lengths == [len(each) for each in chunks]
    return chunks


@pytest.mark.parametrize("scheme", [RAW, LZ4, GROUPED])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 4095, MAX_CHUNK_BYTES])
def test_a_chunk_comes_out_as_it_went_in(scheme, size):
    data = random.Random(size).randbytes(size // 2) + bytes(size - size // 2)
    assert read_xorb(xorb([data], scheme)) == [data]


@pytest.mark.parametrize("step", [1, 7, 8, 9, 1000])
def test_a_xorb_may_arrive_in_pieces_of_any_size(step):
    chunks = [b"one" * 100, b"two", bytes(5000)]
    packed = chunk(chunks[0], LZ4) + chunk(chunks[1]) + chunk(chunks[2], GROUPED)
    assert read_xorb(packed, step) == chunks


def test_a_footer_ends_the_chunks():
    assert read_xorb(xorb([b"data"]) + b"XETBLOB" + bytes(500)) == [b"data"]


def test_a_reader_holds_one_chunk_however_much_came():
    reader = XorbReader()
    for _ in range(100):
        assert list(reader.feed(chunk(bytes(1000)))) == [bytes(1000)]
        assert not reader._buffer


def test_a_hash_is_printed_as_four_little_endian_words():
    assert hash_text(hash_bytes(A)) == A
    assert hash_text(b"\x01" + bytes(31)) == "0000000000000001" + "0" * 48


def test_a_shard_lists_the_ranges_of_every_file():
    sha = name_of("sha")
    first = file_entry([(A, 0, 3, 30), (B, 5, 6, 7)], sha)
    second = file_entry([(B, 0, 1, 1)], verified=False)
    files = list(read_shard(io.BytesIO(shard(first, second, tail=b"whatever follows"))))
    assert [file.sha256 for file in files] == [sha, None]
    assert files[0].ranges == (ChunkRange(A, 0, 3, 30), ChunkRange(B, 5, 6, 7))
    assert [file.size for file in files] == [37, 1]


def test_a_shard_may_name_no_file():
    assert list(read_shard(io.BytesIO(shard()))) == []
    assert len(END) == 48


LENGTHS = Lengths([10, 20, 30, 40])


def test_a_range_is_found_across_files():
    pieces = [Piece(0, 2, A, 100), Piece(2, 4, B, 0)]
    assert locate(pieces, LENGTHS, 1, 3) == [Span(A, 110, 20), Span(B, 0, 30)]
    assert locate(pieces, LENGTHS, 0, 4) == [Span(A, 100, 30), Span(B, 0, 70)]


def test_a_range_with_a_chunk_that_is_nowhere_is_not_found():
    assert locate([Piece(0, 1, A, 0), Piece(2, 4, B, 0)], LENGTHS, 0, 3) is None
    assert locate([], LENGTHS, 0, 1) is None
    assert not is_complete([Piece(0, 1, A, 0), Piece(2, 4, B, 0)], 4)


def test_a_newer_place_takes_over_and_the_rest_stays():
    pieces = add_pieces([Piece(0, 4, A, 1000)], [Piece(1, 3, B, 5)], LENGTHS)
    assert pieces == [Piece(0, 1, A, 1000), Piece(1, 3, B, 5), Piece(3, 4, A, 1060)]
    assert is_complete(pieces, 4)


def test_neighbours_in_one_file_become_one_piece():
    assert add_pieces([Piece(0, 1, A, 0)], [Piece(1, 4, A, 10)], LENGTHS) == [Piece(0, 4, A, 0)]
    assert len(add_pieces([Piece(0, 1, A, 0)], [Piece(1, 4, A, 11)], LENGTHS)) == 2


def test_places_agree_with_a_plain_list_of_chunks():
    """However ranges are added, every chunk is found where it was put last."""
    draw = random.Random(0)
    for _ in range(200):
        sizes = [draw.randrange(1, 9) for _ in range(12)]
        lengths, pieces = Lengths(sizes), []
        last: dict[int, tuple[str, int]] = {}
        for sha256 in draw.choices("abc", k=6):
            start = draw.randrange(12)
            end = draw.randrange(start + 1, 13)
            offset = draw.randrange(100)
            pieces = add_pieces(pieces, [Piece(start, end, sha256, offset)], lengths)
            for n in range(start, end):
                last[n] = sha256, offset + lengths.between(start, n)
        for n in range(12):
            found = locate(pieces, lengths, n, n + 1)
            assert found == ([Span(*last[n], sizes[n])] if n in last else None)
        assert is_complete(pieces, 12) == (len(last) == 12)
