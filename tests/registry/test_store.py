import io
import os
import stat
import time

import pytest

from registry import durable, inspection
from registry import store as store_module
from registry.errors import BlobDamaged, SourceUnreadable, StoreFull
from registry.manifests import Manifest
from registry.sources.directory import DirectorySource
from registry.staging import ABANDONED_AFTER_S
from registry.store import Step, Store
from registry.verification import verify
from tests.registry.builders import build_model_dir

KILLED = 137


def publish(store: Store, folder, progress=lambda done, total: None) -> Manifest:
    with DirectorySource(folder) as source, store.open_staging() as staging:
        manifest = store.take(source, staging, progress)
        store.publish(staging, manifest)
    return manifest


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def is_whole(store: Store, manifest: Manifest) -> bool:
    return store.has_view(manifest) and verify(store, manifest).is_sound


def die_at(store: Store, folder, step: Step, nth: int) -> None:
    """Publish in a child process that dies, without any clean-up, at the nth passing of `step`."""
    pid = os.fork()
    if pid == 0:
        left = nth

        def die(passed: Step) -> None:
            nonlocal left
            left -= passed is step
            if left == 0:
                os._exit(KILLED)

        try:
            publish(Store(store.root, on_step=die), folder)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == KILLED


def test_a_view_is_read_only_and_shares_its_blobs_inodes(store, model_dir):
    manifest = publish(store, model_dir)
    view = store.view(manifest.digest)
    assert stat.S_IMODE(view.stat().st_mode) == 0o555
    assert names(view) == [file.path for file in manifest.files]
    for file in manifest.files:
        facts = (view / file.path).stat()
        assert stat.S_IMODE(facts.st_mode) == 0o444
        assert facts.st_ino == store.blob(file.sha256).stat().st_ino
        assert (view / file.path).read_bytes() == (model_dir / file.path).read_bytes()
    assert names(store.stagings) == []


def test_files_in_folders_keep_their_places(store, tmp_path):
    folder = build_model_dir(tmp_path / "m", files={"a/b/c.txt": b"x", "a/d.txt": b"x"})
    manifest = publish(store, folder)
    view = store.view(manifest.digest)
    assert (view / "a/b/c.txt").read_bytes() == b"x"
    assert stat.S_IMODE((view / "a/b").stat().st_mode) == 0o555
    assert is_whole(store, manifest)


def test_the_same_bytes_are_stored_once(store, tmp_path):
    first = publish(store, build_model_dir(tmp_path / "a", seed=1))
    second = publish(store, build_model_dir(tmp_path / "b", seed=2))
    shared = {f.sha256 for f in first.files} & {f.sha256 for f in second.files}
    assert len(shared) == len(first.files) - 1
    n_blobs = sum(1 for path in store.blobs.rglob("*") if path.is_file())
    assert n_blobs == len(first.files) + 1


def test_publishing_again_touches_nothing(store, model_dir):
    manifest = publish(store, model_dir)
    before = {path: path.stat().st_mtime_ns for path in store.views.rglob("*")}
    assert publish(store, model_dir).digest == manifest.digest
    assert {path: path.stat().st_mtime_ns for path in store.views.rglob("*")} == before


def test_progress_counts_every_byte(store, model_dir):
    seen = []
    manifest = publish(store, model_dir, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (manifest.n_bytes, manifest.n_bytes)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_files_are_copied_where_links_cannot_be_had(store, model_dir, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(durable.os, "link", refuse)
    manifest = publish(store, model_dir)
    assert publish(store, model_dir).digest == manifest.digest
    view = store.view(manifest.digest)
    for file in manifest.files:
        facts = (view / file.path).stat()
        assert stat.S_IMODE(facts.st_mode) == 0o444
        assert facts.st_ino != store.blob(file.sha256).stat().st_ino
    assert verify(store, manifest).is_sound


def test_a_blob_of_another_size_is_reported_and_left_alone(store, model_dir):
    manifest = publish(store, model_dir)
    blob = store.blob(manifest.files[0].sha256)
    blob.chmod(0o644)
    blob.write_bytes(b"short")
    with pytest.raises(BlobDamaged, match="backup"):
        publish(store, model_dir)
    assert blob.read_bytes() == b"short"


class GrowingSource:
    sizes = {"config.json": 2}
    skipped = ()
    description = "test"

    def open(self, path):
        return io.BytesIO(b"longer")


def test_a_file_that_changes_while_it_is_read_is_refused(store):
    with store.open_staging() as staging, pytest.raises(SourceUnreadable, match="changed"):
        store.take(GrowingSource(), staging, lambda done, total: None)
    assert names(store.stagings) == []


def test_a_full_disk_is_noticed_before_copying(store, model_dir, monkeypatch):
    monkeypatch.setattr(store_module, "SPARE_BYTES", 2**62)
    with pytest.raises(StoreFull, match="make room"):
        publish(store, model_dir)
    assert names(store.views) == []


# The child only publishes and ends, so a thread of the test run that holds a lock cannot block it.
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("step", Step)
@pytest.mark.parametrize("nth", [1, 2])
def test_a_crash_at_any_step_leaves_the_old_state_or_the_new(store, tmp_path, step, nth):
    # Given a published version, and another whose publication dies
    old = publish(store, build_model_dir(tmp_path / "old", seed=1))
    folder = build_model_dir(tmp_path / "new", seed=2)
    once = step in (Step.BLOBS_DURABLE, Step.VIEW_BUILT, Step.VIEW_RENAMED)
    die_at(store, folder, step, 1 if once else nth)
    # Then the old is whole, and the new is whole or absent
    assert is_whole(store, old)
    visible = [name for name in names(store.views) if ".tmp-" not in name]
    assert (len(visible) == 2) == (step is Step.VIEW_RENAMED)
    # And recovery leaves no trace of the work, and a retry succeeds
    recovery = store.recover({old.digest: old}, now=time.time())
    assert recovery.n_removed >= 1
    assert recovery.rebuilt == recovery.failed == ()
    assert names(store.stagings) == []
    assert names(store.views) == sorted(visible)
    new = publish(store, folder)
    assert is_whole(store, new)
    assert is_whole(store, old)


def test_work_that_another_process_still_does_survives_recovery(store, model_dir):
    with DirectorySource(model_dir) as source, store.open_staging() as staging:
        manifest = store.take(source, staging, lambda done, total: None)
        half = store.views / f"{manifest.digest}.tmp-{staging.uuid}"
        half.mkdir()
        assert store.recover({}, now=time.time()).n_removed == 0
        assert half.is_dir()
        durable.remove_tree(half)
        store.publish(staging, manifest)
    assert is_whole(store, manifest)


def test_work_that_has_been_silent_for_long_is_removed(store):
    with store.open_staging() as staging:
        assert store.recover({}, now=time.time() + ABANDONED_AFTER_S + 1).n_removed == 1
        assert not staging.root.exists()


@pytest.mark.parametrize("owner", [None, "", "[]", '{"host": 1}', '{"host": "x", "pid": "y"}'])
def test_a_staging_folder_without_a_readable_owner_gets_time_first(store, owner):
    folder = store.stagings / "x"
    folder.mkdir(parents=True)
    if owner is not None:
        (folder / "owner").write_text(owner)
    assert store.recover({}, now=time.time()).n_removed == 0
    assert store.recover({}, now=time.time() + ABANDONED_AFTER_S + 1).n_removed == 1


def test_recovery_in_an_empty_home_does_nothing(store):
    recovery = store.recover({}, now=0.0)
    assert (recovery.n_removed, recovery.rebuilt, recovery.failed) == (0, (), ())


def test_a_missing_view_is_rebuilt_from_blobs(store, model_dir):
    manifest = publish(store, model_dir)
    durable.remove_tree(store.view(manifest.digest))
    assert not store.has_view(manifest)
    assert store.recover({manifest.digest: manifest}, now=time.time()).rebuilt == (manifest.digest,)
    assert is_whole(store, manifest)


def test_a_view_is_not_rebuilt_from_missing_blobs(store, model_dir):
    manifest = publish(store, model_dir)
    durable.remove_tree(store.view(manifest.digest))
    store.blob(manifest.files[0].sha256).unlink()
    recovery = store.recover({manifest.digest: manifest}, now=time.time())
    assert recovery.failed == (manifest.digest,)
    assert names(store.views) == names(store.stagings) == []


def test_two_processes_may_publish_the_same_version(store, model_dir):
    with DirectorySource(model_dir) as source, store.open_staging() as staging:
        manifest = store.take(source, staging, lambda done, total: None)
        other = Store(store.root, on_step=lambda step: None)

        def overtake(step: Step) -> None:
            if step is Step.VIEW_BUILT:
                publish(other, model_dir)

        Store(store.root, on_step=overtake).publish(staging, manifest)
    assert is_whole(store, manifest)
    assert names(store.views) == [manifest.digest]


@pytest.mark.parametrize("position", [0, 8, -1])
def test_a_flipped_byte_is_found_wherever_it_is(store, model_dir, position):
    manifest = publish(store, model_dir)
    for file in manifest.files:
        blob = store.blob(file.sha256)
        data = bytearray(blob.read_bytes())
        data[position] ^= 1
        blob.chmod(0o644)
        blob.write_bytes(data)
        found = verify(store, manifest)
        assert [(d.path, d.place, d.expected) for d in found.damaged] == [
            (file.path, "blob", file.sha256)
        ]
        assert found.damaged[0].found not in (None, file.sha256)
        data[position] ^= 1
        blob.write_bytes(data)
    assert verify(store, manifest).is_sound


def test_missing_and_extra_files_are_named(store, model_dir):
    manifest = publish(store, model_dir)
    view = store.view(manifest.digest)
    view.chmod(0o755)
    (view / "config.json").unlink()
    (view / "added.txt").touch()
    (view / "folder").mkdir()
    (view / "folder" / "link").symlink_to("/etc")
    store.blob(next(f.sha256 for f in manifest.files if f.path == "tokenizer.json")).unlink()
    found = verify(store, manifest)
    assert found.missing == ("view: config.json", "blob: tokenizer.json")
    assert found.extra == ("view: added.txt", "view: folder/link")
    assert found.damaged == ()
    assert not found.is_sound


@pytest.mark.parametrize("kind", ["other bytes", "link", "folder"])
def test_a_view_file_that_is_no_longer_its_blob_is_found(store, model_dir, kind):
    manifest = publish(store, model_dir)
    view = store.view(manifest.digest)
    view.chmod(0o755)
    (view / "config.json").unlink()
    if kind == "other bytes":
        (view / "config.json").write_bytes(b"{}")
    elif kind == "link":
        (view / "config.json").symlink_to(model_dir / "config.json")
    else:
        (view / "config.json").mkdir()
    assert [(d.path, d.place) for d in verify(store, manifest).damaged] == [("config.json", "view")]


def test_a_lost_view_is_reported_file_by_file(store, model_dir):
    manifest = publish(store, model_dir)
    durable.remove_tree(store.view(manifest.digest))
    assert len(verify(store, manifest).missing) == len(manifest.files)


def test_the_staged_copy_can_be_inspected(store, model_dir):
    with DirectorySource(model_dir) as source, store.open_staging() as staging:
        manifest = store.take(source, staging, lambda done, total: None)
        facts = inspection.inspect(staging.files, [file.path for file in manifest.files])
    assert facts.labels == ("NEGATIVE", "POSITIVE")
