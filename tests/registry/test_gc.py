"""What nothing needs is found, condemned, and swept after a grace; everything else stays."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from registry import gc, queries, services
from registry.errors import SweepRefused
from registry.gc import CommitFacts, Facts, Reason, VersionFacts, mark
from registry.models import (
    Blob,
    Commit,
    Event,
    Lease,
    Operation,
    RegisteredModel,
    Replica,
    Upload,
    Version,
    Xorb,
)
from registry.services.scrubbing import scrub
from registry.services.sweeping import look, sweep
from tests.registry.builders import build_model_dir

MODEL = "team/tiny"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
KEEP = timedelta(days=90)
NONE = timedelta(0)
LONG_AGO = timedelta(days=200)


def commit(pk: int, days: int, *blobs: str, parent: str = "") -> CommitFacts:
    at = NOW - timedelta(days=days)
    return CommitFacts(pk, 1, f"c{pk}", parent, at, frozenset(blobs))


def version(pk: int, *blobs: str, commit=None, retired=None, routed=False, loaded=False):
    at = None if retired is None else NOW - timedelta(days=retired)
    return VersionFacts(pk, commit, at, routed, loaded, frozenset(blobs))


def marks(commits=(), versions=(), tips=(), branches=(), leased=(), extra=()) -> gc.Marks:
    blobs = {blob for held in (*commits, *versions) for blob in held.blobs} | {*leased, *extra}
    facts = Facts(
        commits=tuple(commits),
        versions=tuple(versions),
        tips=frozenset((*tips, *branches)),
        branch_tips=frozenset(branches),
        leased=frozenset(leased),
        blobs=dict.fromkeys(sorted(blobs), 10),
    )
    return mark(facts, now=NOW, keep=KEEP)


def test_what_nothing_holds_may_go():
    found = marks(extra=["x"])
    assert found.spare_blobs == {"x": Reason.UNUSED}


def test_old_history_goes_and_young_history_stays():
    line = [commit(1, 300, "a"), commit(2, 50, "b", parent="c1"), commit(3, 1, "c", parent="c2")]
    found = marks(line, branches=[3])
    assert found.commits == {3: Reason.REF, 2: Reason.HISTORY}
    assert found.spare_commits == {1: Reason.OLD_HISTORY}
    assert found.spare_blobs == {"a": Reason.OLD_HISTORY}


def test_a_commit_that_no_branch_leads_to_goes_after_its_time():
    found = marks([commit(1, 300, "a"), commit(2, 5, "b")])
    assert found.spare_commits == {1: Reason.UNREACHABLE}
    assert found.commits == {2: Reason.HISTORY}


def test_tags_and_aliases_keep_the_oldest_commit():
    assert marks([commit(1, 900, "a")], tips=[1]).blobs == {"a": Reason.REF}


def test_a_version_keeps_its_commit_and_files():
    found = marks([commit(1, 900, "a")], [version(1, "a", commit=1)])
    assert (found.commits, found.blobs) == ({1: Reason.SEALED}, {"a": Reason.SEALED})


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"retired": 10}, Reason.RETIRED_LATELY),
        ({"retired": 200, "routed": True}, Reason.ROUTED),
        ({"retired": 200, "loaded": True}, Reason.LOADED),
        ({}, Reason.SEALED),
    ],
)
def test_what_keeps_a_version(options, reason):
    assert marks(versions=[version(1, "a", **options)]).blobs == {"a": reason}


def test_a_version_retired_long_ago_goes_but_not_what_others_hold():
    found = marks(versions=[version(1, "a", "b", retired=200), version(2, "b")], leased=["c"])
    assert found.spare_versions == {1: Reason.RETIRED}
    assert found.spare_blobs == {"a": Reason.RETIRED}
    assert found.blobs == {"b": Reason.SEALED, "c": Reason.LEASED}


def test_totals_are_by_reason():
    found = marks(versions=[version(1, "a", "b")], extra=["x"])
    totals = found.totals({"a": 1, "b": 2, "x": 5})
    assert totals["kept"] == {Reason.SEALED.value: (2, 3)}
    assert totals["spare"] == {Reason.UNUSED.value: (1, 5)}


# With rows and files.


def retire(number: int, ago: timedelta = LONG_AGO) -> None:
    services.retire(MODEL, number, actor="alice")
    Version.objects.filter(number=number).update(retired_at=timezone.now() - ago)
    Commit.objects.update(created_at=timezone.now() - LONG_AGO)


@pytest.fixture
def three(register):
    """Versions 1 (retired long ago), 2 and 3 (live)."""
    specs = [register(seed) for seed in (1, 2, 3)]
    services.promote(MODEL, 3, actor="alice")
    retire(1)
    return specs


def weights(store, spec):
    return (spec.view / "model.safetensors").stat().st_ino


@pytest.mark.django_db
def test_a_dry_run_tells_by_reason_and_changes_nothing(three):
    before = list(Blob.objects.values_list("pk", "condemned_at"))
    told = look().as_json()
    assert told["spare"] == {Reason.RETIRED.value: {"n_blobs": 1, "n_bytes": 192}}
    assert told["waiting"]["n_blobs"] == 1
    assert told["due"]["n_blobs"] == 0
    assert list(Blob.objects.values_list("pk", "condemned_at")) == before


@pytest.mark.django_db
def test_what_may_go_is_condemned_then_swept_after_the_grace(three, store):
    n_files = len(list(store.blobs.glob("*/*/*")))
    assert sweep(actor="alice").n_swept == 0
    assert Blob.objects.exclude(condemned_at=None).count() == 1
    assert len(list(store.blobs.glob("*/*/*"))) == n_files
    Blob.objects.exclude(condemned_at=None).update(
        condemned_at=timezone.now() - timedelta(hours=25)
    )
    done = sweep(actor="alice")
    assert (done.n_swept, done.n_swept_bytes, done.n_versions, done.n_views) == (1, 192, 1, 1)
    assert len(list(store.blobs.glob("*/*/*"))) == n_files - 1
    assert not three[0].view.exists()
    row = Version.objects.get(number=1)
    assert (row.state, row.commit, row.blobs.count()) == ("retired", None, 0)
    assert Event.objects.order_by("-id").first().details["swept"] == {"n_blobs": 1, "n_bytes": 192}
    assert scrub(actor="alice").is_sound
    assert sweep(actor="alice", grace=NONE).n_swept == 0
    assert services.promote(MODEL, 2, actor="alice").number == 2


@pytest.mark.django_db
def test_a_mapped_file_stays_readable_after_its_sweep(three):
    with (three[0].view / "model.safetensors").open("rb") as stream:
        assert sweep(actor="alice", grace=NONE).n_swept == 1
        assert len(stream.read()) == 192


@pytest.mark.django_db
def test_a_version_that_a_replica_has_loaded_stays(three):
    states = {MODEL: {"versions": [{"version": 1, "state": "standby"}]}}
    Replica.objects.create(id="r1", states=states)
    assert sweep(actor="alice", grace=NONE).n_swept == 0
    Replica.objects.update(heartbeat_at=timezone.now() - timedelta(hours=1))
    assert sweep(actor="alice", grace=NONE).n_swept == 1


@pytest.mark.django_db
def test_committed_routes_keep_a_version(three):
    RegisteredModel.objects.update(
        committed_routes=[{"version": 1, "mode": "live", "weight": 100}], committed_generation=1
    )
    assert sweep(actor="alice", grace=NONE).n_swept == 0


@pytest.mark.django_db
def test_a_lease_lifts_the_sentence(three):
    sweep(actor="alice")
    condemned = Blob.objects.exclude(condemned_at=None).get()
    services.lease_blobs({condemned.pk: condemned.size}, actor="push")
    assert Blob.objects.get(pk=condemned.pk).condemned_at is None
    assert sweep(actor="alice", grace=NONE).n_swept == 0
    Lease.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert sweep(actor="alice", grace=NONE).n_swept == 1
    assert not Lease.objects.exists()


@pytest.mark.django_db
def test_files_without_a_row_get_one_and_go_after_the_grace(register, store):
    register(1)
    stray = store.blob("0" * 64)
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"left by a crash")
    sweep(actor="alice")
    assert stray.exists()
    Blob.objects.filter(pk="0" * 64).update(condemned_at=timezone.now() - timedelta(days=2))
    assert sweep(actor="alice").n_swept == 1
    assert not stray.exists()


@pytest.mark.django_db
def test_what_a_deleted_model_had_goes_with_its_views(register, store):
    register(1)
    register(2, name="team/other")
    services.delete_model("team/other", actor="alice")
    done = sweep(actor="alice", grace=NONE)
    assert (done.n_swept, done.n_views) == (1, 1)
    assert len(list(store.views.iterdir())) == 1
    assert scrub(actor="alice").is_sound


@pytest.mark.django_db
def test_an_unreadable_manifest_stops_everything(three, store):
    Commit.objects.filter(versions__number=2).update(manifest="[broken")
    before = sorted(store.blobs.rglob("*"))
    with pytest.raises(SweepRefused, match="manifest"):
        sweep(actor="alice", grace=NONE)
    with pytest.raises(SweepRefused):
        look()
    assert sorted(store.blobs.rglob("*")) == before


@pytest.mark.django_db
def test_a_running_backup_stops_a_sweep_and_a_dead_one_does_not(three):
    row = Operation.objects.create(
        kind="backup", title="x", state="running", heartbeat_at=timezone.now(), actor="alice"
    )
    with pytest.raises(SweepRefused, match="backup"):
        sweep(actor="alice", grace=NONE)
    Operation.objects.filter(pk=row.pk).update(heartbeat_at=timezone.now() - timedelta(hours=1))
    assert sweep(actor="alice", grace=NONE).n_swept == 1


@pytest.mark.django_db
def test_chunks_in_swept_files_are_forgotten_and_the_epoch_rises(three):
    model = RegisteredModel.objects.get()
    gone = Version.objects.get(number=1).blobs.get(versions__number=1, size=192)
    kept = Version.objects.get(number=3).blobs.filter(size=192).first()
    for name, blob in (("gone", gone), ("kept", kept)):
        Xorb.objects.create(
            model=model, epoch=1, hash=name, lengths=[192], pieces=[[0, 1, blob.pk, 0]]
        )
    assert sweep(actor="alice", grace=NONE).n_swept == 1
    assert [row.hash for row in Xorb.objects.all()] == ["kept"]
    assert RegisteredModel.objects.get().cas_epoch == model.cas_epoch + 1


@pytest.mark.django_db
def test_expired_uploads_are_removed(register):
    register(1)
    Upload.objects.create(
        model=RegisteredModel.objects.get(),
        sha256="0" * 64,
        size=1,
        actor="a",
        expires_at=timezone.now() - timedelta(hours=1),
    )
    sweep(actor="alice")
    assert not Upload.objects.exists()


@pytest.mark.django_db
def test_the_command_is_dry_unless_told(three, capsys):
    call_command("gc", "--grace", "0")
    out = capsys.readouterr().out
    assert Reason.RETIRED.value in out
    assert "nothing has changed" in out
    assert Blob.objects.filter(condemned_at=None).count() == Blob.objects.count()
    call_command("gc", "--run", "--grace", "0")
    assert "swept 1 files" in capsys.readouterr().out
    assert Operation.objects.get(kind="gc").state == "done"


@pytest.mark.django_db(transaction=True)
def test_pushes_go_on_while_sweeps_run(tmp_path, store):
    """Deleting, sweeping without any grace and pushing the same files again, all at once."""
    folders = [build_model_dir(tmp_path / f"m{seed}", seed=seed) for seed in range(3)]
    errors: list[BaseException] = []
    stop = threading.Event()

    def guarded(work) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    def push(worker: int) -> None:
        for turn in range(6):
            name = f"team/w{worker}"
            services.register_directory(folders[(worker + turn) % 3], name, actor=f"w{worker}")
            if turn % 2:
                services.delete_model(name, actor=f"w{worker}")

    def sweep_on() -> None:
        while not stop.is_set():
            sweep(actor="sweeper", grace=NONE)

    pushers = [threading.Thread(target=guarded, args=(lambda w=w: push(w),)) for w in range(3)]
    sweeper = threading.Thread(target=guarded, args=(sweep_on,))
    for thread in (*pushers, sweeper):
        thread.start()
    for thread in pushers:
        thread.join()
    stop.set()
    sweeper.join()
    for error in errors:
        raise error
    for worker in range(3):
        services.register_directory(folders[0], f"team/w{worker}", actor="alice")
    sweep(actor="sweeper", grace=NONE)
    assert scrub(actor="alice").findings == []
    assert len(queries.load_models()) == 3
