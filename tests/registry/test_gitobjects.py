"""Ids as the real git makes them."""

import doctest
import os
import subprocess
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest

from registry import gitobjects

FILES = {
    "a.txt": b"one",
    "a/b.txt": b"two",
    "a-b/c/d.json": b"{}",
    "a.b": b"",
    "zeta/é.md": "käse\n".encode(),
}


def git(folder: Path, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path) -> Path:
    git(tmp_path, "init", "-q")
    for path, content in FILES.items():
        if path == "a.txt" or "/" not in path:
            (tmp_path / path).write_bytes(content)
    for path, content in FILES.items():
        if "/" in path:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(content)
    git(tmp_path, "add", "-A")
    return tmp_path


def test_the_examples_hold():
    assert doctest.testmod(gitobjects).failed == 0


def test_a_file_has_the_id_that_git_gives_it(repository):
    for path, content in FILES.items():
        expected = git(repository, "hash-object", path)
        assert gitobjects.blob_oid(content) == expected
        assert gitobjects.hash_blob(BytesIO(content), len(content)) == expected


def test_a_tree_has_the_id_that_git_gives_it_also_where_folders_sort_oddly(repository):
    oids = {path: gitobjects.blob_oid(content) for path, content in FILES.items()}
    assert gitobjects.tree_oid(oids) == git(repository, "write-tree")
    folders, tree = gitobjects.folder_oids(oids), git(repository, "write-tree")
    assert folders["a-b/c"] == git(repository, "rev-parse", f"{tree}:a-b/c")


@pytest.mark.parametrize(("parent", "message"), [("", ""), ("1" * 40, "Because.\nTwo lines.")])
def test_a_commit_has_the_id_that_git_gives_it(repository, parent, message):
    at = datetime(2026, 11, 21, 12, 30, 15, 999, tzinfo=UTC)
    tree = git(repository, "write-tree")
    stamp = f"Alice (key) <> {int(at.timestamp())} +0000"
    text = f"tree {tree}\n" + (f"parent {parent}\n" if parent else "")
    text += f"author {stamp}\ncommitter {stamp}\n\nThe title"
    text += (f"\n\n{message}" if message else "") + "\n"
    (repository / "object").write_text(text)
    expected = git(repository, "hash-object", "-t", "commit", "--literally", "object")
    assert (
        gitobjects.commit_oid(
            tree, parent=parent, author="Alice (key)", at=at, title="The title", message=message
        )
        == expected
    )


def test_an_author_cannot_break_out_of_its_line():
    at = datetime(2026, 1, 1, tzinfo=UTC)
    one = gitobjects.commit_oid(
        "0" * 40, parent="", author="a\nparent b<x>", at=at, title="t", message=""
    )
    other = gitobjects.commit_oid(
        "0" * 40, parent="", author="a parent b x", at=at, title="t", message=""
    )
    assert one == other


@pytest.mark.parametrize(
    ("path", "size", "expected"),
    [
        ("model.safetensors", 1, True),
        ("sub/spiece.model", 10, True),
        ("tokenizer.json", gitobjects.LFS_BYTES, True),
        ("tokenizer.json", gitobjects.LFS_BYTES - 1, False),
        ("model.safetensors", 0, False),
        ("README.md", 100, False),
    ],
)
def test_weights_and_large_files_are_lfs_and_empty_ones_never(path, size, expected):
    assert gitobjects.is_lfs(path, size) is expected
