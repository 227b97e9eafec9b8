"""Damage is found, moved out of reach, and replaced from a backup; levels of verification."""

import mmap

import pytest
from django.core.management import CommandError, call_command

from registry import services
from registry.errors import InvalidField
from registry.location import open_store
from registry.manifests import parse_manifest
from registry.models import Blob, Commit, CommitBlob, Event, Version
from registry.services import backups
from registry.services.healing import heal
from registry.services.scrubbing import Level, Subset, parse_subset, scrub
from registry.tasks import verify_all
from tests.registry.backups.builders import MODEL, fill

pytestmark = pytest.mark.django_db


@pytest.fixture
def filled(tmp_path):
    fill(tmp_path)


def file_of(number: int, path: str, name: str = "tiny"):
    row = Version.objects.get(model__name=name, number=number)
    return next(f for f in parse_manifest(row.manifest).files if f.path == path)


def flip(path, at: int = -1) -> None:
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def problems(level: Level) -> list[str]:
    return [finding.problem for finding in scrub(level, actor="alice").findings]


def state(number: int) -> str:
    return Version.objects.get(model__name="tiny", number=number).state


def test_a_sound_registry_is_sound_at_every_level(filled):
    for level in Level:
        assert scrub(level, actor="alice").is_sound


def test_level_0_misses_a_file_and_sees_its_size(filled):
    store = open_store()
    gone = store.blob(file_of(1, "model.safetensors").sha256)
    gone.unlink()
    cut = store.blob(file_of(2, "model.safetensors").sha256)
    cut.chmod(0o644)
    cut.write_bytes(b"short")
    found = sorted(problems(Level.PRESENCE))
    assert found[0].startswith("it has 5 bytes")
    assert found[1] == "it is missing"


def test_level_1_sees_rows_and_views_that_do_not_fit(filled):
    CommitBlob.objects.filter(commit=Commit.objects.order_by("-id").first()).first().delete()
    view = open_store().view(Version.objects.get(model__name="tiny", number=1).digest)
    view.chmod(0o755)
    (view / "config.json").unlink()
    found = problems(Level.STRUCTURE)
    assert any("rows do not hold" in problem for problem in found)
    assert "its view lacks config.json" in found
    assert state(1) == "damaged"


def test_level_1_sees_an_altered_manifest(filled):
    row = Version.objects.get(model__name="tiny", number=1)
    Version.objects.filter(pk=row.pk).update(manifest=row.manifest.replace("config", "konfig"))
    assert problems(Level.STRUCTURE)


def test_level_2_sees_one_bit(filled):
    flip(open_store().blob(file_of(1, "model.safetensors").sha256))
    assert scrub(Level.STRUCTURE, actor="alice").is_sound
    assert "its bytes have the sha256" in problems(Level.BYTES)[0]


def test_level_2_sees_a_damaged_copy_in_a_view(filled):
    store = open_store()
    view = store.view(Version.objects.get(model__name="tiny", number=1).digest)
    copied = view / "model.safetensors"
    data = bytearray(copied.read_bytes())
    data[-1] ^= 1
    view.chmod(0o755)
    copied.unlink()
    copied.write_bytes(data)
    assert problems(Level.BYTES) == ["the copy of model.safetensors is damaged"]
    assert heal([], actor="alice").versions == (f"{MODEL} version 1",)
    assert scrub(actor="alice").is_sound


def test_level_3_sees_what_can_no_longer_be_parsed(filled, monkeypatch):
    from registry.errors import ContentRefused
    from registry.services import scrubbing

    def refuse(path, file):
        raise ContentRefused(f"{path}: it is not valid safetensors")

    monkeypatch.setattr(scrubbing, "check_content", refuse)
    assert scrub(Level.BYTES, actor="alice").is_sound
    assert any("not valid" in problem for problem in problems(Level.CONTENT))
    assert state(1) == "sealed"


def test_hashing_goes_on_where_it_ended(filled):
    first = scrub(Level.BYTES, actor="alice", max_duration_s=0)
    assert (first.n_hashed, first.n_left) == (0, first.n_blobs)
    n_blobs = 0
    for number in range(1, 5):
        n_blobs += scrub(Level.BYTES, actor="alice", subset=Subset(number, 4)).n_hashed
    assert n_blobs == first.n_blobs
    assert not Blob.objects.filter(verified_at=None).exists()
    oldest = Blob.objects.order_by("-verified_at").first()
    Blob.objects.filter(pk=oldest.pk).update(verified_at=None)
    hashed = []
    scrub(Level.BYTES, actor="alice", progress=lambda done, total: hashed.append(done))
    assert hashed[0] == oldest.size


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/10001", "/", "1/"])
def test_odd_subsets_are_refused(text):
    with pytest.raises(InvalidField, match="n/t"):
        parse_subset(text)


def test_damage_is_moved_aside_for_every_version_that_has_it(filled):
    store = open_store()
    shared = store.blob(file_of(1, "config.json").sha256)
    flip(shared)
    scrub(Level.BYTES, actor="alice")
    assert set(Version.objects.values_list("state", flat=True)) == {"damaged"}
    assert not shared.exists()
    assert list(store.views.iterdir()) == []
    assert Event.objects.filter(kind="damaged").count() == 3


def test_a_start_does_not_build_the_view_of_a_damaged_version_again(filled):
    store, version = open_store(), Version.objects.get(model__name="tiny", number=2)
    flip(store.blob(file_of(2, "model.safetensors").sha256))
    Version.objects.filter(pk=version.pk).update(state="damaged")
    store.quarantine(store.view(version.digest))
    services.recover()
    assert not store.view(version.digest).exists()


def test_what_is_mapped_serves_on(filled):
    store = open_store()
    version = Version.objects.get(model__name="tiny", number=2)
    path = store.view(version.digest) / "model.safetensors"
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as map_:
        flip(store.blob(file_of(2, "model.safetensors").sha256))
        damaged = bytes(map_)
        scrub(actor="alice")
        assert bytes(map_) == damaged


def test_damage_is_healed_from_the_first_target_that_is_whole(filled, folder, tmp_path):
    backups.back_up(folder, actor="alice")
    store, file = open_store(), file_of(2, "model.safetensors")
    good = store.blob(file.sha256).read_bytes()
    flip(store.blob(file.sha256))
    assert not scrub(actor="alice").is_sound
    from registry.backups.targets import DirectoryTarget

    empty = DirectoryTarget(tmp_path / "empty")
    bad = DirectoryTarget(tmp_path / "bad")
    (tmp_path / "other").write_bytes(b"x" * len(good))
    bad.put(f"blobs/{file.sha256[:2]}/{file.sha256}", tmp_path / "other")
    done = heal([empty, bad, folder], actor="alice")
    assert (done.blobs, done.left) == ((file.sha256,), ())
    assert done.versions == (f"{MODEL} version 2",)
    assert store.blob(file.sha256).read_bytes() == good
    assert state(2) == "sealed"
    assert scrub(actor="alice").is_sound
    assert Event.objects.get(kind="healed").details == {"blobs": [file.sha256]}
    assert services.verify(MODEL, 2, actor="alice").verification.is_sound
    assert heal([folder], actor="alice") == type(done)(blobs=(), versions=(), left=())


def test_without_a_backup_damage_stays_and_is_told(filled):
    flip(open_store().blob(file_of(1, "model.safetensors").sha256))
    scrub(actor="alice")
    left = heal([], actor="alice").left
    assert left == (
        f"{MODEL} version 1",
        f"blob {file_of(1, 'model.safetensors').sha256}",
    )
    assert state(1) == "damaged"


def test_the_daily_check_heals_from_the_configured_targets(filled, settings, tmp_path):
    settings.BELLWETHER_BACKUPS = {"near": str(tmp_path / "near")}
    backups.back_up(backups.find_target("near"), actor="alice")
    flip(open_store().blob(file_of(1, "model.safetensors").sha256))
    told = verify_all.func()
    assert told["unsound"] == [f"{MODEL} version 1"]
    assert told["healed"] == [f"{MODEL} version 1"]
    assert state(1) == "sealed"


def test_verify_checks_and_heals_by_command(filled, folder, tmp_path, capsys):
    call_command("verify", "--full")
    assert "sound" in capsys.readouterr().out
    backups.back_up(folder, actor="alice")
    flip(open_store().blob(file_of(1, "model.safetensors").sha256))
    with pytest.raises(CommandError, match="1 fault"):
        call_command("verify", "--level", "2")
    call_command("verify", "--heal", str(tmp_path / "backups"))
    assert f"healed {MODEL} version 1" in capsys.readouterr().out
    call_command("verify", "--full", "--subset", "1/2", "--max-duration", "60")
