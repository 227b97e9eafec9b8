import os
import socket

import pytest

from registry.errors import ContentRefused, InvalidPath, SourceUnreadable
from registry.sources import directory
from registry.sources.directory import DirectorySource


def test_regular_files_are_listed_with_their_sizes_in_order(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.txt").write_bytes(b"12")
    (tmp_path / "a.txt").write_bytes(b"1")
    with DirectorySource(tmp_path) as source:
        assert list(source.sizes.items()) == [("a.txt", 1), ("sub/b.txt", 2)]
        with source.open("sub/b.txt") as stream:
            assert stream.read() == b"12"


def test_hidden_files_and_caches_are_skipped_and_named(tmp_path):
    for name in (".git", ".cache", "__pycache__"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").touch()
    (tmp_path / ".gitattributes").touch()
    (tmp_path / ".link").symlink_to("/etc/passwd")
    with DirectorySource(tmp_path) as source:
        assert source.sizes == {}
        assert source.skipped == (".cache", ".git", ".gitattributes", ".link", "__pycache__")


@pytest.mark.parametrize("target", ["/etc/passwd", "a.txt", "/etc", "nowhere"])
def test_a_symbolic_link_is_refused_wherever_it_leads(tmp_path, target):
    (tmp_path / "a.txt").touch()
    (tmp_path / "link.txt").symlink_to(target)
    with pytest.raises(ContentRefused, match=r"link\.txt is a symbolic link .*cp -rL"):
        DirectorySource(tmp_path)


def test_a_pipe_or_socket_is_refused_without_waiting_for_it(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(ContentRefused, match="not a file"):
        DirectorySource(tmp_path)
    (tmp_path / "pipe.txt").unlink()
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("s.txt")
        with pytest.raises(ContentRefused, match="not a file"):
            DirectorySource(tmp_path)


def test_a_file_that_becomes_a_link_after_listing_is_not_followed(tmp_path):
    (tmp_path / "a.txt").write_text("mine")
    with DirectorySource(tmp_path) as source:
        (tmp_path / "a.txt").unlink()
        (tmp_path / "a.txt").symlink_to("/etc/passwd")
        with pytest.raises(SourceUnreadable, match=r"a\.txt"):
            source.open("a.txt")


def test_a_folder_that_becomes_a_link_after_listing_is_not_followed(tmp_path):
    folder = tmp_path / "model" / "sub"
    folder.mkdir(parents=True)
    (folder / "passwd").write_text("mine")
    with DirectorySource(tmp_path / "model") as source:
        folder.rename(tmp_path / "elsewhere")
        folder.symlink_to("/etc")
        with pytest.raises(SourceUnreadable):
            source.open("sub/passwd")


def test_a_file_that_becomes_a_pipe_is_refused_without_waiting(tmp_path):
    (tmp_path / "a.txt").write_text("mine")
    with DirectorySource(tmp_path) as source:
        (tmp_path / "a.txt").unlink()
        os.mkfifo(tmp_path / "a.txt")
        with pytest.raises(SourceUnreadable, match="no longer a regular file"):
            source.open("a.txt")


@pytest.mark.parametrize("name", ["missing", "a.txt"])
def test_what_is_not_a_directory_is_refused_without_its_path(tmp_path, name):
    (tmp_path / "a.txt").touch()
    with pytest.raises(SourceUnreadable) as caught:
        DirectorySource(tmp_path / name)
    assert str(tmp_path) not in caught.value.message


def test_a_name_that_is_not_unicode_is_refused(tmp_path):
    (tmp_path / os.fsdecode(b"\xff.txt")).touch()
    with pytest.raises(InvalidPath):
        DirectorySource(tmp_path)


def test_a_tree_that_is_too_deep_or_too_large_is_refused(tmp_path, monkeypatch):
    (tmp_path.joinpath(*["d"] * 17)).mkdir(parents=True)
    with pytest.raises(InvalidPath, match="deep"):
        DirectorySource(tmp_path)
    monkeypatch.setattr(directory, "MAX_ENTRIES", 5)
    with pytest.raises(ContentRefused, match="right one"):
        DirectorySource(tmp_path)


def test_no_descriptor_is_left_open(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.txt").touch()
    before = len(os.listdir("/proc/self/fd"))
    with DirectorySource(tmp_path) as source:
        source.open("sub/a.txt").close()
    (tmp_path / "link").symlink_to("x")
    with pytest.raises(ContentRefused):
        DirectorySource(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before
