"""Archives: what packers make enters as a directory would; everything else is refused clearly."""

import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from registry.errors import ArchiveRefused, ContentRefused, StoreFull
from registry.sources import archive, tars
from registry.sources.archive import ArchiveSource
from tests.registry.builders import build_model_dir
from tests.registry.sources.archives import (
    DEVICE,
    END,
    PIPE,
    SOCKET,
    SYMLINK,
    end64,
    entry,
    gz,
    header,
    patched,
    pax,
    special,
    tar,
    tar_of,
    zeros_gz,
    zip_flags,
    zip_of,
    zipped,
)

GOOD = entry(b"config.json", b"{}") + entry(b"vocab.txt", b"good\n")
ZIP = zipped([("config.json", b"{}"), ("vocab.txt", b"good\n" * 100)])
DIRECTORY = ZIP.index(b"PK\x01\x02")


def unpack(tmp_path: Path, data: bytes) -> ArchiveSource:
    folder = tmp_path / "unpacked"
    folder.mkdir(exist_ok=True)
    (tmp_path / "upload").write_bytes(data)
    return ArchiveSource(tmp_path / "upload", folder)


def contents(source: ArchiveSource) -> dict[str, bytes]:
    found = {}
    for path in source.sizes:
        with source.open(path) as stream:
            found[path] = stream.read()
    return found


def outside(tmp_path: Path) -> set[str]:
    return {
        path.relative_to(tmp_path).as_posix()
        for path in tmp_path.rglob("*")
        if path.relative_to(tmp_path).parts[0] != "unpacked"
    }


@pytest.fixture
def model(tmp_path) -> Path:
    return build_model_dir(tmp_path / "model", files={"1_Pooling/config.json": b"{}"})


PACKERS = {
    "tar": tar_of,
    "tar.gz": lambda folder, top="": gz(tar_of(folder, top)),
    "zip": zip_of,
    "stored zip": lambda folder, top="": zip_of(folder, top, zipfile.ZIP_STORED),
}


@pytest.mark.parametrize("top", ["", "model", "some folder"])
@pytest.mark.parametrize("kind", PACKERS)
def test_what_packers_make_holds_the_files_of_the_folder(tmp_path, model, kind, top):
    source = unpack(tmp_path, PACKERS[kind](model, top))
    assert contents(source) == {
        path.relative_to(model).as_posix(): path.read_bytes()
        for path in model.rglob("*")
        if path.is_file()
    }
    assert source.skipped == ()
    assert source.description == "archive"


def test_what_gnu_tar_makes_is_read(tmp_path, model):
    name = "deep/" * 10 + "n" * 120 + ".json"
    (model / name).parent.mkdir(parents=True)
    (model / name).write_text("{}")
    for form in ("gnu", "pax", "ustar"):
        made = tmp_path / f"{form}.tar"
        subprocess.run(
            ["tar", f"--format={form}", "-cf", made, "-C", model, "."], check=form != "ustar"
        )
        if form != "ustar":
            assert name in unpack(tmp_path, made.read_bytes()).sizes
            for file in (tmp_path / "unpacked").iterdir():
                file.unlink()


def test_a_member_is_written_under_a_number_never_its_name(tmp_path):
    unpack(tmp_path, tar(GOOD))
    assert {path.name for path in (tmp_path / "unpacked").iterdir()} == {"0", "1"}


def test_hidden_files_and_caches_are_left_out_and_told(tmp_path):
    hidden = (
        b".git/config",
        b"._config.json",
        b"__MACOSX/._x",
        b"a/__pycache__/b.pyc",
        b".DS_Store",
    )
    source = unpack(tmp_path, tar(GOOD, *map(entry, hidden)))
    assert source.skipped == tuple(sorted(name.decode() for name in hidden))
    assert set(source.sizes) == {"config.json", "vocab.txt"}


def test_one_top_folder_is_taken_off_but_not_the_models_own(tmp_path):
    source = unpack(tmp_path, tar(entry(b"m/config.json"), entry(b"m/a/x.json"), entry(b".x")))
    assert set(source.sizes) == {"config.json", "a/x.json"}


def test_gzip_in_several_members_is_read_on(tmp_path):
    data = tar(GOOD)
    assert set(unpack(tmp_path, gz(data[:700]) + gz(data[700:])).sizes) == {
        "config.json",
        "vocab.txt",
    }


def test_a_zip_with_64_bit_fields_is_read(tmp_path):
    with (
        zipfile.ZipFile(tmp_path / "upload64", "w") as made,
        made.open("config.json", "w", force_zip64=True) as sink,
    ):
        sink.write(b"{}")
    data = (tmp_path / "upload64").read_bytes()
    end = len(data) - 22
    n_bytes, offset = struct.unpack("<2L", data[end + 12 : end + 20])
    assert contents(unpack(tmp_path, end64(data, 1, n_bytes, offset))) == {"config.json": b"{}"}


def zip_with(name, content: bytes = b"{}") -> bytes:
    return zipped([("config.json", b"{}"), (name, content)])


def nested(depth: int) -> bytes:
    data = tar(GOOD)
    for _ in range(depth):
        data = zipped([("inner.zip", data)])
    return data


PATHS = {
    "climbs out": "../evil.json",
    "climbs out below": "a/../../evil.json",
    "climbs in place": "a/../evil.json",
    "absolute": "/etc/evil.json",
    "absolute twice": "//evil.json",
    "drive": "C:/evil.json",
    "drive relative": "C:evil.json",
    "backslash": "..\\evil.json",
    "UNC": "\\\\host\\share\\evil.json",
    "empty part": "a//evil.json",
    "dot part": "a/./evil.json",
    "device": "con.json",
    "device in a folder": "aux/evil.json",
    "trailing dot": "a./evil.json",
    "trailing space": "a /evil.json",
    "leading space": " evil.json",
    "alternate stream": "evil.json:x.json",
    "newline": "a\nb.json",
    "bell": "a\x07.json",
    "right to left": "a\u202ejson.json",
    "zero width": "a\u200b.json",
    "not NFC": "e\u0301.json",
    "too deep": "a/" * 17 + "x.json",
    "part too long": "n" * 256 + ".json",
    "hidden and climbs": ".x/../../evil.json",
    "only dots": ".../evil.json",
    "git in other case": ".GIT/../evil.json",
}


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_path_that_is_not_plain_is_refused(tmp_path, name, kind):
    path = PATHS[name]
    raw = path.encode()
    long = pax({"path": path}) + entry(b"short.json")
    data = zip_with(path) if kind == "zip" else tar(GOOD, entry(raw) if len(raw) < 100 else long)
    before = outside(tmp_path)
    with pytest.raises(ContentRefused):
        unpack(tmp_path, data)
    assert outside(tmp_path) == before | {"upload"}


HOSTILE = {
    # what is not an archive of a known kind
    "empty": b"",
    "one byte": b"P",
    "text": b"hello " * 200,
    "bzip2": b"BZh91AY&SY" + bytes(600),
    "xz": b"\xfd7zXZ\x00" + bytes(600),
    "zstandard": b"\x28\xb5\x2f\xfd" + bytes(600),
    "7z": b"7z\xbc\xaf\x27\x1c" + bytes(600),
    "rar": b"Rar!\x1a\x07" + bytes(600),
    "pickle": b"\x80\x04K\x01.",
    "zeros": bytes(2048),
    "an old tar without a magic": header(magic=bytes(8)) + END,
    "gzip of no tar": gz(b"hello" * 500),
    "gzip of gzip": gz(gz(tar(GOOD))),
    "gzip of a zip": gz(ZIP),
    # tar: kinds of entries
    "symbolic link": tar(GOOD, entry(b"x.json", b"", b"2", link=b"/etc/passwd")),
    "symbolic link inside": tar(GOOD, entry(b"x.json", b"", b"2", link=b"config.json")),
    "hidden symbolic link": tar(GOOD, entry(b".x", b"", b"2", link=b"/etc/passwd")),
    "a link, then a file through it": tar(
        entry(b"d", b"", b"2", link=b"/tmp"), entry(b"d/x.json"), GOOD
    ),
    "hard link": tar(GOOD, entry(b"x.json", b"", b"1", link=b"config.json")),
    "hard link outside": tar(GOOD, entry(b"x.json", b"", b"1", link=b"/etc/shadow")),
    "character device": tar(GOOD, entry(b"x.json", b"", b"3")),
    "block device": tar(GOOD, entry(b"x.json", b"", b"4")),
    "pipe": tar(GOOD, entry(b"x.json", b"", b"6")),
    "GNU sparse": tar(GOOD, entry(b"x.json", b"", b"S")),
    "pax sparse": tar(GOOD, pax({"GNU.sparse.major": "1"}), entry(b"x.json")),
    "incremental listing": tar(GOOD, entry(b"x.json", b"", b"D")),
    "several volumes": tar(GOOD, entry(b"x.json", b"", b"M")),
    "long link name": tar(GOOD, entry(b"././@LongLink", b"/etc", b"K"), entry(b"x.json")),
    "unknown kind": tar(GOOD, entry(b"x.json", b"", b"Z")),
    "folder with content": tar(GOOD, entry(b"x", b"abc", b"5")),
    # tar: headers that lie
    "size beyond the end": header(b"config.json", 10**9) + b"{}" + END,
    "size in eleven sevens": header(b"config.json", b"77777777777\0") + END,
    "binary size of a yottabyte": header(b"config.json", b"\x80" + b"\xff" * 11) + END,
    "binary size, negative": header(b"config.json", b"\xff" * 12) + END,
    "size of eights": header(b"config.json", b"88888888888\0") + END,
    "size of words": header(b"config.json", b"a lot\0") + END,
    "wrong checksum": header(b"config.json", 0, checksum=b"000001\0 ") + END,
    "checksum of words": header(b"config.json", 0, checksum=b"whatever") + END,
    "pax size beyond the end": pax({"size": "1000000"}) + entry(b"config.json") + END,
    "pax size negative": tar(pax({"size": "-1"}), entry(b"config.json")),
    "pax size huge": tar(pax({"size": "9" * 19}), entry(b"config.json")),
    "pax size of words": tar(pax({"size": "many"}), entry(b"config.json")),
    "pax path climbs": tar(GOOD, pax({"path": "../../x.json"}), entry(b"fine.json")),
    "pax path absolute": tar(GOOD, pax({"path": "/x.json"}), entry(b"fine.json")),
    "pax path with NUL": tar(GOOD, pax({"path": "x.json\0.txt"}), entry(b"fine.json")),
    "pax path for all": tar(pax({"path": "x.json"}, b"g"), entry(b"a.json"), entry(b"b.json")),
    "pax path, a sibling": tar(GOOD, pax({"path": "config.json"}), entry(b"fine.json")),
    "pax without a length": tar(pax(b"path=x.json\n"), GOOD),
    "pax with a wrong length": tar(pax(b"99 path=x.json\n"), GOOD),
    "pax of zero length": tar(pax(b"0 path=x.json\n"), GOOD),
    "pax in another encoding": tar(pax(b"15 path=\xe9.json\n"), GOOD),
    "pax of a gigabyte": header(b"x", 10**9, b"x") + END,
    "long name of a gigabyte": header(b"x", 10**9, b"L") + END,
    "long name climbs": tar(GOOD, entry(b"././@LongLink", b"../x.json\0", b"L"), entry(b"a.json")),
    "long name for nobody": tar(GOOD, entry(b"././@LongLink", b"x.json\0", b"L")),
    "pax for nobody": tar(GOOD, pax({"path": "x.json"})),
    "prefix climbs": tar(GOOD, entry(b"x.json", prefix=b"..")),
    "prefix absolute": tar(GOOD, entry(b"x.json", prefix=b"/etc")),
    "name in another encoding": tar(GOOD, entry(b"caf\xe9.json")),
    "no name": tar(GOOD, entry(b"")),
    # tar: its end
    "cut in a file": tar(GOOD)[:700],
    "cut in a header": tar(GOOD)[:600],
    "cut before the end mark": GOOD,
    "garbage after the end": tar(GOOD) + b"x" * 600,
    "another tar after the end": tar(GOOD) + tar(entry(b"x.json")),
    "endless padding": tar(GOOD) + bytes(3 * 1024**2),
    "gzip cut": gz(tar(GOOD))[:-12],
    "gzip with a wrong checksum": patched(gz(tar(GOOD)), -8, b"\0\0\0\0"),
    "gzip with a wrong length": patched(gz(tar(GOOD)), -4, b"\1\0\0\0"),
    "gzip damaged": patched(gz(tar(GOOD)), 20, b"\xff" * 8),
    "garbage after the gzip": gz(tar(GOOD)) + b"garbage",
    # names among each other
    "the same name twice": tar(GOOD, entry(b"config.json")),
    "the same name by ./": tar(GOOD, entry(b"./config.json")),
    # zip: kinds of entries
    "zip symbolic link": zip_with(special("x.json", SYMLINK), b"/etc/passwd"),
    "zip device": zip_with(special("x.json", DEVICE)),
    "zip pipe": zip_with(special("x.json", PIPE)),
    "zip socket": zip_with(special("x.json", SOCKET)),
    "zip file marked as a folder": zip_with(special("x.json", 0o040000)),
    "zip folder with content": zip_with("x/", b"abc"),
    "zip encrypted": zip_flags(ZIP, 0x1),
    "zip strongly encrypted": zip_flags(ZIP, 0x41),
    "zip patch": zip_flags(ZIP, 0x20),
    "zip by bzip2": zipped([("config.json", b"{}")], zipfile.ZIP_BZIP2),
    "zip by lzma": zipped([("config.json", b"{}")], zipfile.ZIP_LZMA),
    "zip by an unknown method": zip_flags(ZIP, 0, 99),
    "zip with the same name twice": zip_with("konfig.json").replace(b"konfig.json", b"config.json"),
    "zip name with NUL": zip_with("x.jsonA.txt").replace(b"x.jsonA.txt", b"x.json\0.txt"),
    "zip name of an unknown encoding": zip_with("xyz.json").replace(b"xyz.json", b"x\xe9z.json"),
    "zip names that differ": ZIP.replace(b"config.json", b"konfig.json", 1),
    # zip: its directory
    "zip cut": ZIP[:-30],
    "zip without a directory": ZIP[:DIRECTORY],
    "zip empty": zipped([]),
    "zip with garbage after": ZIP + b"garbage",
    "zip after a script": b"#!/bin/sh\n" + ZIP,
    "zip with garbage inside": ZIP[:DIRECTORY] + b"garbage" + ZIP[DIRECTORY:],
    "zip over several disks": patched(ZIP, -18, b"\1\0"),
    "zip with a lying count": patched(ZIP, -14, b"\xff\x7f"),
    "zip with a huge directory": patched(ZIP, -10, b"\xff\xff\xff\x7f"),
    "zip with a directory elsewhere": patched(ZIP, -6, b"\0\0\0\0"),
    "zip with a wrong checksum": patched(ZIP, DIRECTORY + 16, b"\0\0\0\1"),
    "zip with damaged data": patched(ZIP, ZIP.index(b"vocab.txt") + 9, b"\xff" * 6),
    "zip with a lying length": patched(ZIP, DIRECTORY + 24, b"\xff\xff\0\0"),
    "zip with a lying packed length": patched(ZIP, DIRECTORY + 20, b"\xff\xff\xff\0"),
    "zip with an entry beyond the end": patched(ZIP, DIRECTORY + 42, b"\xff\xff\xff\0"),
    "zip64 of many entries": end64(ZIP, 2**40, 100, DIRECTORY),
    "zip64 with a huge directory": end64(ZIP, 2, 2**40, DIRECTORY),
    "zip64 with a directory elsewhere": end64(ZIP, 2, 100, 2**50),
    "zip64 record elsewhere": end64(ZIP, 2, 100, DIRECTORY, start=0),
    # nested
    "zip in a tar": tar(GOOD, entry(b"inner.zip", ZIP)),
    "tar in a zip": nested(1),
    "zip in a zip in a zip": nested(3),
    "a pickle": tar(GOOD, entry(b"pytorch_model.bin", b"\x80\x02K\x01.")),
    "code": tar(GOOD, entry(b"modeling_x.py", b"import os")),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_with_a_clear_sentence(tmp_path, name):
    before = outside(tmp_path)
    with pytest.raises(ContentRefused) as caught:
        unpack(tmp_path, HOSTILE[name])
    assert len(caught.value.message) < 500
    assert str(tmp_path) not in caught.value.message
    assert outside(tmp_path) == before | {"upload"}
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))


def test_the_corpus_is_large_enough():
    assert len(HOSTILE) + 2 * len(PATHS) >= 60


def test_overlapping_entries_are_refused(tmp_path):
    """Two directory entries that share one file's bytes."""
    data = zipped([("config.json", b"{}"), ("other0.json", b"x" * 50)])
    at = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    with pytest.raises(ArchiveRefused, match="overlap"):
        unpack(tmp_path, patched(data, at + 42, b"\0\0\0\0"))


@pytest.mark.parametrize("kind", ["tar.gz", "zip", "hidden"])
def test_a_bomb_is_cut_off(tmp_path, kind):
    if kind == "zip":
        data = zipped([("vocab.txt", bytes(80 * 1024**2))])
    else:
        data = zeros_gz(80 * 1024**2, b".hidden" if kind == "hidden" else b"vocab.txt")
    with pytest.raises(ArchiveRefused, match="over 67108864 bytes"):
        unpack(tmp_path, data)
    assert sum(path.stat().st_size for path in (tmp_path / "unpacked").iterdir()) <= 65 * 1024**2


def test_many_files_and_many_entries_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_FILES", 3)
    with pytest.raises(ArchiveRefused, match="over 3 files"):
        unpack(tmp_path, tar(*(entry(b"%d.json" % n) for n in range(5))))


def test_many_folders_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_ENTRIES", 5)
    with pytest.raises(ArchiveRefused, match="entries"):
        unpack(tmp_path, tar(*(entry(b"%d/" % n, b"", b"5") for n in range(9))))


def test_many_extended_headers_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tars, "MAX_EXTENDED", 5)
    with pytest.raises(ArchiveRefused, match="extended"):
        unpack(tmp_path, tar(*(pax({"mtime": "1"}) for _ in range(9)), GOOD))


def test_a_file_that_cannot_fit_is_refused_before_it_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "SPARE_BYTES", 2**60)
    with pytest.raises(StoreFull):
        unpack(tmp_path, tar(GOOD))


def test_a_file_of_too_many_bytes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_FILE_BYTES", 3)
    with pytest.raises(ArchiveRefused, match=r"vocab\.txt has 5 bytes"):
        unpack(tmp_path, tar(GOOD))


def test_reading_hostile_archives_takes_little_memory(tmp_path):
    """In a process of its own, whose peak is compared with what it had before."""
    bombs = {
        "headers": header(b"x", 2**32, b"x") + END,
        "pax": tar(*(pax({f"k{n}": "v" * 60_000}, b"g") for n in range(200)), GOOD),
        "zeros": zeros_gz(300 * 1024**2),
        "zip": zipped([("vocab.txt", bytes(300 * 1024**2))]),
    }
    for name, data in bombs.items():
        (tmp_path / name).write_bytes(data)
    script = (
        "import sys, resource, pathlib\n"
        "from registry.sources.archive import ArchiveSource\n"
        "from registry.errors import ContentRefused\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for n, name in enumerate(sys.argv[2:]):\n"
        "    folder = pathlib.Path(sys.argv[1]) / f'out{n}'\n"
        "    folder.mkdir()\n"
        "    try:\n"
        "        ArchiveSource(pathlib.Path(sys.argv[1]) / name, folder)\n"
        "    except ContentRefused: pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), *bombs],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.getcwd()},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 40_000, "kilobytes"
