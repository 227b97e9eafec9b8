"""Backups and sweeping by API, admin, command, schedule and worker."""

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from rest_framework.test import APIClient

from registry import services
from registry.models import Backup, Blob, Operation, RegisteredModel, Version
from registry.services import operations
from registry.tasks import back_up_on_schedule, sweep_daily
from tests.registry.backups.builders import MODEL, another_home, fill

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.registry.urls")]
BACKUPS, GC = "/api/v1/backups", "/api/v1/gc"


@pytest.fixture(autouse=True)
def near(settings, tmp_path):
    settings.BELLWETHER_BACKUPS = {"near": str(tmp_path / "near"), "far": "memory://far-away"}
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_CLASSES": []}
    fill(tmp_path)
    return tmp_path / "near"


def client(*scopes: str) -> APIClient:
    from tests.registry.test_api import client as made

    return made(*scopes)


def work() -> Operation:
    """Do the newest operation, as the worker would."""
    row = Operation.objects.order_by("-created_at").first()
    operations.work(row.pk)
    row.refresh_from_db()
    return row


def test_a_backup_is_asked_for_followed_and_listed():
    answer = client("admin").post(BACKUPS, {"target": "near", "tags": ["api"]}, format="json")
    assert answer.status_code == 202
    assert answer.headers["Location"].endswith(answer.json()["id"])
    assert work().state == "done"
    listed = client("read").get(BACKUPS).json()["results"]
    assert [row["target"] for row in listed] == ["near"]
    assert client("read").get(f"{BACKUPS}?target=far").json()["results"] == []


def test_only_configured_names_are_taken(near):
    for name in ("nowhere", str(near), "s3://key:secret@bucket/x"):
        answer = client("admin").post(BACKUPS, {"target": name}, format="json")
        assert answer.json()["error"]["code"] in ("backup_target_not_found", "invalid_request")
        assert "secret@" not in answer.content.decode() or name.startswith("s3")
    assert client("read", "push", "promote").post(BACKUPS, {}, format="json").status_code == 403


def test_a_backup_is_verified_by_api(near):
    services_backup()
    answer = client("admin").post(f"{BACKUPS}/verify", {"target": "near"}, format="json")
    assert answer.status_code == 202
    assert work().result["is_sound"] is True
    assert Backup.objects.get().is_sound
    blob = next(path for path in (near / "blobs").rglob("*") if path.is_file())
    blob.unlink()
    client("admin").post(f"{BACKUPS}/verify", {"target": "near"}, format="json")
    assert work().result["n_faults"] == 1
    assert Backup.objects.get().is_sound is False


def services_backup() -> None:
    from registry.services import backups

    backups.back_up(backups.find_target("near"), actor="alice")


def test_a_sweep_is_dry_by_api_unless_told():
    services.delete_model("team/other", actor="alice")
    told = client("admin").post(GC, {"grace_hours": 0}, format="json").json()
    assert told["dry_run"] is True
    assert told["due"]["n_blobs"] == 1
    n_blobs = Blob.objects.count()
    answer = client("admin").post(GC, {"dry_run": False, "grace_hours": 0}, format="json")
    assert answer.status_code == 202
    assert Blob.objects.count() == n_blobs
    assert work().result["swept"]["n_blobs"] == 1
    assert client("read").post(GC, {}, format="json").status_code == 403


def test_the_admin_backs_up_verifies_and_sweeps(admin_client):
    page = admin_client.get(reverse("admin:registry_backup_back_up_now"))
    assert "near" in page.content.decode()
    assert not Operation.objects.exists()
    answer = admin_client.post(reverse("admin:registry_backup_back_up_now"), {"target": "near"})
    assert answer.status_code == 302
    assert work().state == "done"
    changelist = reverse("admin:registry_backup_changelist")
    assert "near" in admin_client.get(changelist).content.decode()
    act = {"action": "verify", "_selected_action": [Backup.objects.get().pk]}
    assert "queued" in admin_client.post(changelist, act, follow=True).content.decode()
    assert work().result["is_sound"] is True
    sweep = reverse("admin:registry_backup_sweep")
    assert "Condemn and sweep" in admin_client.get(sweep).content.decode()
    assert admin_client.post(sweep).status_code == 302
    assert work().kind == "gc"


def test_without_a_target_the_admin_says_how_to_have_one(admin_client, settings):
    settings.BELLWETHER_BACKUPS = {}
    page = admin_client.get(reverse("admin:registry_backup_back_up_now")).content.decode()
    assert "BELLWETHER_BACKUPS" in page


def test_the_schedule_backs_up_to_the_first_target_and_forgets(settings):
    settings.BELLWETHER_BACKUP_KEEP = "last=2"
    for _ in range(3):
        back_up_on_schedule.func()
        assert work().state == "done"
    assert Backup.objects.filter(target="near").count() == 2
    sweep_daily.func()
    assert Operation.objects.filter(kind="gc", state="done").exists()


def test_the_commands_back_up_list_forget_and_restore(near, capsys, settings, tmp_path):
    call_command("backup", "--tag", "one")
    call_command("backup", "near")
    capsys.readouterr()
    call_command("backups", "near")
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("one")
    call_command("backups")
    assert capsys.readouterr().out.split() == ["near", "far"]
    call_command("backups", "near", "--check")
    assert "sound" in capsys.readouterr().out
    call_command("backups", "near", "--keep-last", "1")
    assert f"forget {first.split()[0]}" in capsys.readouterr().out
    call_command("backups", "near", "--keep-last", "1", "--run")
    assert len(list((near / "snapshots").iterdir())) == 1
    with pytest.raises(CommandError, match="empty"):
        call_command("restore", "near")
    with pytest.raises(CommandError, match="go together"):
        call_command("restore", "near", "--model", MODEL)
    with another_home(settings, tmp_path / "elsewhere"):
        call_command("restore", "near", second.split()[0])
        assert RegisteredModel.objects.count() == 2
    assert "restored 2 models" in capsys.readouterr().out


def test_the_command_tells_what_is_damaged_at_a_target(near, capsys):
    call_command("backup", "near")
    for path in (near / "snapshots").iterdir():
        path.chmod(0o644)
        path.write_bytes(b"{}")
    call_command("backups", "near")
    assert "DAMAGED" in capsys.readouterr().out
    with pytest.raises(CommandError, match="1 fault"):
        call_command("backups", "near", "--check")


def test_a_command_without_a_target_says_how(settings):
    settings.BELLWETHER_BACKUPS = {}
    with pytest.raises(CommandError, match="BELLWETHER_BACKUPS"):
        call_command("backup")


def test_a_swept_version_comes_back_whole(near):
    from datetime import timedelta

    from django.utils import timezone

    from registry.models import Commit
    from registry.services.scrubbing import scrub
    from registry.services.sweeping import sweep

    call_command("backup", "near")
    services.promote(MODEL, 2, actor="alice")
    from registry.services import refs

    refs.delete_alias(MODEL, "stable", actor="alice")
    refs.delete_tag(MODEL, "first", actor="alice")
    services.retire(MODEL, 1, actor="alice")
    Version.objects.filter(number=1, model__name="tiny").update(
        retired_at=timezone.now() - timedelta(days=200)
    )
    Commit.objects.update(created_at=timezone.now() - timedelta(days=200))
    assert sweep(actor="alice", grace=timedelta(0)).n_versions == 1
    call_command("restore", "near", "--model", MODEL, "--number", "1")
    assert services.promote(MODEL, 1, actor="alice").number == 1
    assert scrub(actor="alice").is_sound
