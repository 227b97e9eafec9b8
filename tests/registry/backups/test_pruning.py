"""Forgetting snapshots and deleting what none needs, at every kind of target."""

import pytest
from django.utils import timezone

from registry import services
from registry.backups.checking import check_target, list_snapshots
from registry.backups.retention import parse_policy
from registry.backups.snapshots import snapshot_path
from registry.errors import BackupDamaged, RetentionRefused, TargetBusy
from registry.models import Backup, Event
from registry.services import backups
from tests.registry.backups.builders import fill

pytestmark = pytest.mark.django_db
LAST = parse_policy("last=1")


@pytest.fixture
def two(target, tmp_path):
    """A target with two snapshots; the older one alone needs the files of a deleted model."""
    fill(tmp_path)
    first = backups.back_up(target, actor="alice", tags=["first"])["snapshot"]
    services.delete_model("team/other", actor="alice")
    return first, backups.back_up(target, actor="alice")["snapshot"]


def forget(target, policy=LAST, **options):
    return backups.forget(target, policy, actor="bob", **options)


def test_a_dry_run_tells_and_changes_nothing(target, two):
    before = target.list("blobs") | target.list("rows") | target.list("snapshots")
    told = forget(target, is_dry=True)
    assert told.forgotten == (two[0],)
    assert told.n_files > 0
    assert target.list("blobs") | target.list("rows") | target.list("snapshots") == before


def test_forgetting_deletes_what_only_that_snapshot_needed(target, two):
    told = forget(target, is_dry=True)
    blobs = target.list("blobs")
    done = forget(target)
    assert (done.n_files, done.n_bytes) == (told.n_files, told.n_bytes)
    assert list_snapshots(target) == (two[1],)
    assert len(target.list("blobs")) == len(blobs) - 1
    assert check_target(target).is_sound
    assert target.list("locks") == {}
    assert [row.snapshot for row in Backup.objects.all()] == [two[1]]
    assert Event.objects.order_by("-id").first().kind == "forgotten"
    assert forget(target).n_files == 0


def test_an_unreadable_snapshot_stops_a_prune(folder, tmp_path):
    fill(tmp_path)
    for _ in range(2):
        backups.back_up(folder, actor="alice")
    oldest = tmp_path / "backups" / snapshot_path(list_snapshots(folder)[0])
    oldest.chmod(0o644)
    oldest.write_bytes(oldest.read_bytes()[:-1] + b"]")
    before = folder.list("blobs") | folder.list("rows")
    with pytest.raises(BackupDamaged, match="snapshots/"):
        forget(folder)
    assert folder.list("blobs") | folder.list("rows") == before
    assert len(list_snapshots(folder)) == 2


def test_a_policy_that_would_forget_all_is_refused(folder, tmp_path):
    fill(tmp_path)
    backups.back_up(folder, actor="alice")
    with pytest.raises(RetentionRefused):
        forget(folder, parse_policy("tag=nobody"))
    assert len(list_snapshots(folder)) == 1


def test_files_of_a_backup_that_crashed_are_pruned_and_halves_too(folder, tmp_path):
    fill(tmp_path)
    backups.back_up(folder, actor="alice")
    stray = tmp_path / "stray"
    stray.write_bytes(b"left")
    folder.put(f"blobs/00/{'0' * 64}", stray)
    folder.put("snapshots/x.json.tmp-1", stray)
    assert forget(folder, None).n_files == 1
    assert check_target(folder).is_sound
    assert len(folder.list("snapshots")) == 1


def test_a_backup_elsewhere_keeps_a_prune_away(folder, tmp_path):
    import json

    fill(tmp_path)
    backups.back_up(folder, actor="alice")
    lock = tmp_path / "lock"
    lock.write_text(json.dumps({"host": "other-host", "pid": 1, "at": timezone.now().timestamp()}))
    folder.put("locks/backup-1.json", lock)
    with pytest.raises(TargetBusy, match="backup"):
        forget(folder)
    backups.back_up(folder, actor="alice")
