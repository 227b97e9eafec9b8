"""A registry backed up to every kind of target, and brought back elsewhere."""

import pytest
from django.utils import timezone

from registry import queries, services
from registry.backups.checking import check_target, list_snapshots, load_snapshot
from registry.backups.targets import open_target
from registry.errors import (
    BackupDamaged,
    BlobDamaged,
    InvalidField,
    RegistryNotEmpty,
    SnapshotNotFound,
    TargetBusy,
    TargetNotFound,
    VersionConflict,
    VersionNotFound,
)
from registry.location import open_store
from registry.models import Backup, Blob, Event, Lease, Operation, RegistryState, Route, Version
from registry.services import backups, restoring
from registry.services.audit import verify_chain
from registry.services.scrubbing import scrub
from tests.registry.backups.builders import MODEL, another_home, dump, empty, fill, kinds

pytestmark = pytest.mark.django_db


def back_up(target, **options):
    return backups.back_up(target, actor="alice", **options)


def restore(target, **options):
    return restoring.restore(target, actor="bob", **options)


def files_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_registry_comes_back_whole_from_every_kind_of_target(target, tmp_path, settings):
    fill(tmp_path)
    before, views = dump(), files_of(open_store().views)
    generation = queries.load_generation()
    done = back_up(target, tags=["nightly"])
    assert list_snapshots(target) == (done["snapshot"],)
    assert check_target(target).is_sound
    with another_home(settings, tmp_path / "elsewhere"):
        told = restore(target)
        after = dump()
        restored = after["events"].pop()
        restored = max(Event.objects.all(), key=lambda event: event.pk)
        assert (restored.kind, restored.details["snapshot"]) == ("restored", done["snapshot"])
        after["events"] = sorted(
            (row for row in dump()["events"] if row["id"] != restored.pk), key=str
        )
        assert after == before
        assert files_of(open_store().views) == views
        assert told["n_models"] == 2
        assert queries.load_generation() > generation
        assert verify_chain().is_sound
        assert scrub(actor="bob").is_sound
        assert not Lease.objects.exists()
        assert services.promote("team/other", 1, actor="bob").number == 1
        assert services.rollback(MODEL, actor="bob").number == 1


def test_a_second_backup_sends_only_what_is_new(target, tmp_path, register):
    fill(tmp_path)
    first = back_up(target)
    assert first["n_new_blobs"] == first["n_blobs"] > 0
    again = back_up(target)
    assert (again["n_new_blobs"], again["n_new_bytes"]) == (0, 0)
    register(9, name=MODEL)
    third = back_up(target)
    assert third["n_new_blobs"] == 1
    assert Backup.objects.count() == 3
    assert kinds().count("backed_up") == 3


def test_a_backup_is_an_operation_that_can_be_watched(folder, tmp_path):
    fill(tmp_path)
    seen = []
    backups.back_up(folder, actor="alice", progress=lambda done, total: seen.append((done, total)))
    row = Operation.objects.get(kind="backup")
    assert (row.state, row.title) == ("done", "Backup to safe")
    assert row.result["n_blobs"] == Backup.objects.get().n_blobs
    assert seen[-1][0] == seen[-1][1] > 0
    assert str(tmp_path) not in str(Event.objects.values_list("details", flat=True)) + str(
        row.parameters
    )


def test_a_damaged_file_is_not_copied_into_a_backup(folder, tmp_path):
    fill(tmp_path)
    blob = next(path for path in open_store().blobs.glob("*/*/*") if path.stat().st_size > 100)
    blob.chmod(0o644)
    blob.write_bytes(b"?" + blob.read_bytes()[1:])
    with pytest.raises(BlobDamaged, match="heal"):
        back_up(folder)
    assert list_snapshots(folder) == ()
    assert Operation.objects.get(kind="backup").error_code == "blob_damaged"


def test_a_restore_needs_an_empty_registry(folder, tmp_path):
    fill(tmp_path)
    back_up(folder)
    before = dump()
    with pytest.raises(RegistryNotEmpty, match="--missing"):
        restore(folder)
    assert dump() == before


def test_only_what_is_missing_comes_back(folder, tmp_path, settings, register):
    fill(tmp_path)
    back_up(folder)
    services.delete_model("team/other", actor="alice")
    told = restore(folder, only_missing=True)
    assert (told["n_models"], told["n_versions"]) == (1, 1)
    assert Version.objects.get(model__name="other").note == "another"
    assert Event.objects.order_by("-id").first().kind == "restored"
    assert restore(folder, only_missing=True)["n_models"] == 0
    assert verify_chain().is_sound
    assert scrub(actor="bob").is_sound


def test_what_comes_back_to_a_registry_in_use_answers_nothing_yet(folder, tmp_path):
    fill(tmp_path)
    back_up(folder)
    Route.objects.all().delete()
    from registry.models import RegisteredModel

    RegisteredModel.objects.filter(name="tiny").delete()
    restore(folder, only_missing=True)
    assert not Route.objects.exists()
    assert queries.load_live_version(MODEL) is None
    assert services.promote(MODEL, 2, actor="bob").number == 2


def test_one_version_comes_back(folder, tmp_path, settings):
    fill(tmp_path)
    back_up(folder)
    empty()
    restore(folder, version=(MODEL, 1))
    assert [str(row) for row in Version.objects.all()] == [f"{MODEL} version 1"]
    assert services.promote(MODEL, 1, actor="bob").number == 1
    with pytest.raises(VersionNotFound):
        restore(folder, version=(MODEL, 7))


def test_a_number_that_means_other_files_here_is_not_overwritten(folder, tmp_path, register):
    fill(tmp_path)
    back_up(folder)
    empty()
    register(8)
    with pytest.raises(VersionConflict, match="other files"):
        restore(folder, version=(MODEL, 1))


def test_a_snapshot_is_found_by_the_beginning_of_its_name(folder, tmp_path):
    fill(tmp_path)
    name = back_up(folder)["snapshot"]
    assert load_snapshot(folder, name[:20]).name == name == load_snapshot(folder).name
    with pytest.raises(SnapshotNotFound, match="no snapshot"):
        load_snapshot(folder, "2001")
    with pytest.raises(SnapshotNotFound):
        load_snapshot(open_target(str(tmp_path / "nothing")))


def test_a_damaged_backup_is_not_restored(folder, tmp_path, settings):
    fill(tmp_path)
    back_up(folder)
    path = next(
        path
        for path in (tmp_path / "backups/blobs").rglob("*")
        if path.is_file() and path.stat().st_size > 100
    )
    path.chmod(0o644)
    path.write_bytes(b"?" + path.read_bytes()[1:])
    with another_home(settings, tmp_path / "elsewhere"):
        with pytest.raises(BackupDamaged, match="not the one"):
            restore(folder)
        assert not Version.objects.exists()
        assert not Event.objects.exists()


def test_targets_are_chosen_by_name_and_only_the_command_takes_a_place(settings, tmp_path):
    settings.BELLWETHER_BACKUPS = {"near": str(tmp_path / "near")}
    assert backups.find_target("near").label == "near"
    with pytest.raises(TargetNotFound, match="near"):
        backups.find_target(str(tmp_path / "near"))
    assert backups.find_location(str(tmp_path / "far")).label == "folder far"
    with pytest.raises(TargetNotFound):
        backups.find_location("typo")


@pytest.mark.parametrize("tags", [["no spaces"], ["x" * 61], [""], [str(n) for n in range(21)]])
def test_odd_tags_are_refused(folder, tags):
    with pytest.raises(InvalidField, match="tags"):
        back_up(folder, tags=tags)


def test_a_prune_elsewhere_keeps_a_backup_away(folder, tmp_path):
    import json

    fill(tmp_path)
    lock = tmp_path / "lock"
    facts = {"host": "other-host", "pid": 1, "at": timezone.now().timestamp()}
    lock.write_text(json.dumps(facts))
    folder.put("locks/prune-1.json", lock)
    with pytest.raises(TargetBusy, match="prune"):
        back_up(folder)
    lock.write_text(json.dumps(facts | {"at": 0.5}))
    folder.put("locks/prune-1.json", lock)
    back_up(folder)
    assert folder.list("locks") == {}


def test_blobs_that_only_leases_hold_are_not_backed_up(folder, tmp_path):
    fill(tmp_path)
    Blob.objects.create(sha256="0" * 64, size=5)
    assert back_up(folder)["n_blobs"] == Blob.objects.count() - 1


def test_the_generation_is_above_the_one_backed_up(folder, tmp_path, settings):
    fill(tmp_path)
    RegistryState.objects.update(generation=900)
    back_up(folder)
    with another_home(settings, tmp_path / "elsewhere"):
        restore(folder)
        assert queries.load_generation() == 901
