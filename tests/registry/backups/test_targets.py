import fsspec
import pytest

from registry.backups.targets import open_target, read_all, safe_label
from registry.errors import BackupDamaged, TargetUnreachable


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 3_000_000)
    return path


def test_a_file_is_put_once_and_read_back(target, file):
    assert target.put("blobs/ab/abc", file)
    assert not target.put("blobs/ab/abc", file)
    assert target.size("blobs/ab/abc") == 3_000_000
    assert read_all(target, "blobs/ab/abc", limit=4_000_000) == file.read_bytes()


def test_a_listing_has_every_file_at_any_depth_by_its_path(target, file):
    for path in ("blobs/ab/one", "blobs/cd/two", "rows/three"):
        target.put(path, file)
    assert target.list("blobs") == {"blobs/ab/one": 3_000_000, "blobs/cd/two": 3_000_000}
    assert target.list("rows") == {"rows/three": 3_000_000}
    assert target.list("snapshots") == {}


def test_half_a_file_is_replaced(target, file, tmp_path):
    half = tmp_path / "half"
    half.write_bytes(b"x" * 10)
    target.put("blobs/ab/abc", half)
    assert target.put("blobs/ab/abc", file)
    assert target.list("blobs") == {"blobs/ab/abc": 3_000_000}


def test_what_is_deleted_is_gone_and_may_be_deleted_again(target, file):
    target.put("blobs/ab/abc", file)
    for _ in range(2):
        target.delete("blobs/ab/abc")
    assert target.size("blobs/ab/abc") is None
    with pytest.raises(BackupDamaged, match="missing"):
        read_all(target, "blobs/ab/abc", limit=10)


def test_reading_is_bounded(target, file):
    target.put("blobs/ab/abc", file)
    with pytest.raises(BackupDamaged, match="over 10 bytes"):
        read_all(target, "blobs/ab/abc", limit=10)


def test_a_folder_target_leaves_no_halves(folder, file, tmp_path):
    folder.put("blobs/ab/abc", file)
    assert [path.name for path in (tmp_path / "backups/blobs/ab").iterdir()] == ["abc"]


@pytest.mark.parametrize(
    ("location", "label"),
    [
        ("s3://key:secret@bucket/models?token=1", "s3://bucket/models"),
        ("sftp://user:pw@host:22/srv", "sftp://host:22/srv"),
        ("/srv/private/nightly", "folder nightly"),
        ("file:///srv/private/nightly", "folder nightly"),
        ("storage:backups", "storage:backups"),
    ],
)
def test_what_is_shown_of_a_location_is_no_secret_and_no_path(location, label):
    assert safe_label(location) == label


def test_a_target_that_does_not_answer_is_told_without_its_secrets(s3_url, file):
    secret = "s3://key:hunter2@no-such-bucket-at-all/x"
    target = open_target(secret)
    with pytest.raises(TargetUnreachable) as caught:
        target.put("blobs/ab/abc", file)
    assert "hunter2" not in str(caught.value) + str(caught.value.details)


def test_an_unknown_protocol_or_storage_is_told(settings):
    with pytest.raises(TargetUnreachable, match="nowhere"):
        open_target("nowhere://bucket/x")
    with pytest.raises(TargetUnreachable, match="STORAGES"):
        open_target("storage:nothing")


def test_a_plain_file_system_of_fsspec_writes_aside_and_renames(tmp_path, file):
    from registry.backups.targets import FsspecTarget

    target = FsspecTarget(f"local://{tmp_path}/far")
    assert target.put("blobs/ab/abc", file)
    assert target.list("blobs") == {"blobs/ab/abc": 3_000_000}
    assert fsspec.filesystem("local").exists(f"{tmp_path}/far/blobs/ab/abc")
