"""What one file may hold: an allow-list by name and, whatever the name, by content.

Names decide how a file is read, content decides whether it enters: a pickle called
`model.safetensors` is refused by what it is. Nothing here unpickles, imports or runs anything.
"""

import json
import pickletools
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from safetensors import SafetensorError, safe_open

from registry.errors import ContentRefused

# The Hub client's own limit; the parser would otherwise allocate what the first bytes ask for.
MAX_SAFETENSORS_HEADER_BYTES = 25_000_000
MAX_JSON_BYTES = 128 * 1024**2
MAX_TEXT_BYTES = 64 * 1024**2
MAX_SENTENCEPIECE_BYTES = 64 * 1024**2
HEAD_BYTES = 4096

# Keys that make the transformers library import code that lies beside or outside the model.
CODE_KEYS = frozenset({"auto_map", "custom_pipelines"})

_MAGICS: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("a pickle", re.compile(rb"\x80[\x02-\x05]")),
    ("a zip archive (or a torch checkpoint)", re.compile(rb"PK(\x03\x04|\x05\x06|\x07\x08)")),
    ("gzip", re.compile(rb"\x1f\x8b")),
    ("bzip2", re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)")),
    ("xz", re.compile(rb"\xfd7zXZ\x00")),
    ("zstandard", re.compile(rb"\x28\xb5\x2f\xfd")),
    ("lz4", re.compile(rb"\x04\x22\x4d\x18")),
    ("a 7z archive", re.compile(rb"7z\xbc\xaf\x27\x1c")),
    ("a rar archive", re.compile(rb"Rar!\x1a\x07")),
    ("a tar archive", re.compile(rb"(?s).{257}ustar")),
    ("HDF5", re.compile(rb"\x89HDF\r\n\x1a\n")),
    ("a numpy array", re.compile(rb"\x93NUMPY")),
    (
        "an executable",
        re.compile(rb"\x7fELF|MZ[\x00-\xff]\x00|[\xfe\xcf\xce]\xfa\xed\xfe|\xca\xfe\xba\xbe"),
    ),
    ("a script", re.compile(rb"#!")),
)


def check_name(path: str) -> None:
    """Refuse a file whose name is not on the allow-list, before a byte of it is read."""
    if _checker(path) is None:
        raise ContentRefused(
            f"{path}: files of this kind may not enter a version; allowed are .safetensors, "
            ".json, .txt, .md, .model, .spm, .jinja, .vocab, .merges and LICENSE. Remove the file, "
            "or convert weights with save_pretrained(safe_serialization=True)",
            details={"path": path},
        )


def check_content(path: str, file: Path) -> frozenset[str]:
    """Refuse `file` (known in the version as `path`) unless it is what its name says.

    Returns the tensor names of a safetensors file, nothing for any other. Raises ContentRefused.
    """
    check_name(path)
    checker = _checker(path)
    assert checker is not None  # noqa: S101 - check_name has just refused it
    with file.open("rb") as stream:
        check_head(path, stream.read(HEAD_BYTES))
        stream.seek(0)
        return checker(path, file, stream)


def read_json(path: str, file: Path) -> Any:
    """The parsed JSON of `file`; raises ContentRefused, also for keys that load code."""
    with file.open("rb") as stream:
        return _parse_json(path, _read_text(path, stream, MAX_JSON_BYTES))


def check_head(path: str, head: bytes) -> None:
    """Refuse a file that begins like a pickle, an archive or a program; raises ContentRefused."""
    kind = next((kind for kind, magic in _MAGICS if magic.match(head)), None)
    if kind is None and _is_text_pickle(head):
        kind = "a pickle"
    if kind:
        raise _refused(path, f"its content is {kind}, whatever its name")


def _is_text_pickle(head: bytes) -> bool:
    """Whether `head` is a protocol 0 or 1 pickle that names something to import.

    Those have no magic bytes, so the opcodes are walked (never run) to the first one that imports.
    A text is one only by malice: a line end is not an opcode.
    """
    seen = set()
    try:
        with warnings.catch_warnings():
            # It reads what it takes for a string as Python's, and warns of odd escapes.
            warnings.simplefilter("ignore")
            for opcode, _, _ in pickletools.genops(head):
                seen.add(opcode.name)
                if opcode.name in {"REDUCE", "INST", "OBJ", "BUILD"} and seen & {"GLOBAL", "INST"}:
                    return True
    except (ValueError, UnicodeDecodeError):
        pass
    return False


def _check_safetensors(path: str, file: Path, stream: BinaryIO) -> frozenset[str]:
    size = file.stat().st_size
    length = int.from_bytes(stream.read(8), "little")
    if size < 8 or length > min(MAX_SAFETENSORS_HEADER_BYTES, size - 8):
        raise _refused(path, f"its header claims {length} bytes, which it does not have or may not")
    try:
        with safe_open(file, framework="numpy") as tensors:
            return frozenset(tensors.keys())
    except (SafetensorError, OSError, ValueError) as error:
        raise _refused(path, f"it is not valid safetensors ({error})") from error


def _check_json(path: str, file: Path, stream: BinaryIO) -> frozenset[str]:
    _parse_json(path, _read_text(path, stream, MAX_JSON_BYTES))
    return frozenset()


def _check_text(path: str, file: Path, stream: BinaryIO) -> frozenset[str]:
    _read_text(path, stream, MAX_TEXT_BYTES)
    return frozenset()


def _check_sentencepiece(path: str, file: Path, stream: BinaryIO) -> frozenset[str]:
    data = _read_capped(path, stream, MAX_SENTENCEPIECE_BYTES)
    if not _is_sentencepiece(data):
        _as_text(path, data)  # tiktoken vocabularies are text under the same suffix
    return frozenset()


def _is_sentencepiece(data: bytes) -> bool:
    """Whether `data` is a protobuf message of length-delimited fields that begins with a piece."""
    at, n_fields = 0, 0
    while at < len(data):
        tag, at = _varint(data, at)
        length, at = _varint(data, at)
        if tag & 7 != 2 or (n_fields == 0 and tag != 0x0A):
            return False
        at, n_fields = at + length, n_fields + 1
    return n_fields > 0 and at == len(data)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for n, byte in enumerate(data[at : at + 10], start=1):
        value |= (byte & 0x7F) << 7 * (n - 1)
        if byte < 0x80:
            return value, at + n
    return 0, len(data) + 1


def _parse_json(path: str, text: str) -> Any:
    # A tokenizer's vocabulary may hold any word as a key; only configuration can name code.
    hook = _refuse_code_keys(path) if path.lower().endswith("config.json") else None
    try:
        return json.loads(text, object_pairs_hook=hook)
    except (ValueError, RecursionError) as error:
        raise _refused(path, f"it is not valid JSON ({error})") from error


def _refuse_code_keys(path: str) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        for key, _ in pairs:
            if key in CODE_KEYS:
                raise _refused(path, f"it has {key}, which loads code; remote code is not run here")
        return dict(pairs)

    return build


def _read_text(path: str, stream: BinaryIO, limit: int) -> str:
    return _as_text(path, _read_capped(path, stream, limit))


def _read_capped(path: str, stream: BinaryIO, limit: int) -> bytes:
    data = stream.read(limit + 1)
    if len(data) > limit:
        raise _refused(path, f"it is over {limit} bytes")
    return data


def _as_text(path: str, data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused(path, f"it is not UTF-8 text ({error.reason} at {error.start})") from error
    if "\0" in text:
        raise _refused(path, "it holds NUL, so it is not text")
    return text


def _refused(path: str, problem: str) -> ContentRefused:
    return ContentRefused(f"{path}: {problem}", details={"path": path})


_Checker = Callable[[str, Path, BinaryIO], frozenset[str]]
_CHECKERS: dict[str, _Checker] = {
    ".safetensors": _check_safetensors,
    ".json": _check_json,
    ".model": _check_sentencepiece,
    ".spm": _check_sentencepiece,
    ".txt": _check_text,
    ".md": _check_text,
    ".jinja": _check_text,
    ".vocab": _check_text,
    ".merges": _check_text,
}
_TEXT_NAMES = frozenset({"license", "licence", "notice", "readme"})


def _checker(path: str) -> _Checker | None:
    name = path.rpartition("/")[2]
    if name.lower() in _TEXT_NAMES:
        return _check_text
    return _CHECKERS.get(Path(name).suffix)
