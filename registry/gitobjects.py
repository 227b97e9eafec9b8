"""The ids that git gives to files, trees and commits (pure).

Hub clients take a revision for immutable only when it is a commit id of 40 hex digits, name their
cached files by these ids, and recompute them in `hf cache verify`. So they are made as git makes
them: the sha1 of "<kind> <size>\\0" and the object's bytes. A large file is in the tree as its LFS
pointer, whose text follows version 1 of the Git LFS specification.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import PurePosixPath
from typing import BinaryIO

LFS_SUFFIXES = frozenset({".safetensors", ".model", ".spm"})
LFS_BYTES = 5 * 1024**2
CHUNK_BYTES = 1024**2

_FILE_MODE, _FOLDER_MODE = b"100644", b"40000"


def is_lfs(path: str, size: int) -> bool:
    """Whether a file of `size` bytes is kept as an LFS pointer in trees and sent by LFS uploads."""
    return size > 0 and (size >= LFS_BYTES or PurePosixPath(path).suffix in LFS_SUFFIXES)


def pointer(sha256: str, size: int) -> bytes:
    """The text that stands for a large file in a tree."""
    return (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
    )


def blob_oid(data: bytes) -> str:
    """The id of a file with these bytes.

    >>> blob_oid(b"")
    'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391'
    """
    return _oid(b"blob", data)


def hash_blob(stream: BinaryIO, size: int) -> str:
    """The id of the file of `size` bytes that `stream` gives, read in pieces."""
    digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    while chunk := stream.read(CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def tree_oid(files: Mapping[str, str]) -> str:
    """The id of the tree of `files`, a git id by path.

    >>> tree_oid({})
    '4b825dc642cb6eb9a060e54bf8d69288fbee4904'
    """
    return folder_oids(files)[""]


def folder_oids(files: Mapping[str, str]) -> dict[str, str]:
    """The id of every folder (`""` is the root) that `files`, a git id by path, make up."""
    folders: dict[str, dict[str, str | None]] = {"": {}}
    for path, oid in files.items():
        *above, name = path.split("/")
        for depth in range(len(above)):
            folders.setdefault("/".join(above[:depth]), {})[above[depth]] = None
        folders.setdefault("/".join(above), {})[name] = oid
    oids: dict[str, str] = {}
    # Deepest first: a folder's id covers those of the folders in it.
    for folder in sorted(folders, key=lambda path: -_depth(path)):
        prefix = f"{folder}/" if folder else ""
        oids[folder] = _oid(b"tree", _tree(folders[folder], lambda name: oids[prefix + name]))  # noqa: B023
    return oids


def _depth(folder: str) -> int:
    return folder.count("/") + 1 if folder else 0


def commit_oid(
    tree: str, *, parent: str, author: str, at: datetime, title: str, message: str
) -> str:
    """The id of a commit; `parent` is empty for the first, `at` counts in whole seconds."""
    who = author.translate(dict.fromkeys(map(ord, "<>\n\0"), " ")).strip() or "unknown"
    stamp = f"{who} <> {int(at.timestamp())} +0000"
    lines = [f"tree {tree}", *([f"parent {parent}"] if parent else [])]
    lines += [f"author {stamp}", f"committer {stamp}", "", title]
    text = "\n".join(lines) + (f"\n\n{message}" if message else "") + "\n"
    return _oid(b"commit", text.encode("utf-8", "backslashreplace"))


def _tree(entries: Mapping[str, str | None], folder_oid: Callable[[str], str]) -> bytes:
    rows = []
    for name, oid in entries.items():
        is_folder = oid is None
        # Git sorts a folder as if its name ended in a slash.
        key = name.encode() + (b"/" if is_folder else b"")
        mode = _FOLDER_MODE if is_folder else _FILE_MODE
        rows.append((key, mode + b" " + name.encode() + b"\0", oid or folder_oid(name)))
    return b"".join(head + bytes.fromhex(oid) for _, head, oid in sorted(rows))


def _oid(kind: bytes, data: bytes) -> str:
    head = b"%s %d\0" % (kind, len(data))
    return hashlib.sha1(head + data, usedforsecurity=False).hexdigest()
