import hashlib
import io
from datetime import timedelta

import pytest
from django.utils import timezone

from registry import services
from registry.errors import ChunksGone, XetRefused
from registry.hub.xet import ingest
from registry.hub.xet.ingest import Session, open_intake, remove_stale, take_shard
from registry.location import open_store
from registry.models import Blob, Lease, RegisteredModel, Xorb
from registry.services.intake import readable_blobs
from tests.hub.xet_builders import GROUPED, file_entry, honest_shard, name_of, shard, xorb

pytestmark = pytest.mark.django_db

CHUNKS = [b"first" * 1000, b"second" * 700, b"third" * 2000, b"4"]
NAME = name_of("xorb")


@pytest.fixture
def session() -> Session:
    return make_session("team/tiny")


def make_session(name: str) -> Session:
    services.create_model(name, actor="alice")
    namespace, own = name.split("/")
    return Session(RegisteredModel.objects.get(namespace=namespace, name=own), 1)


def send(
    session: Session,
    name: str = NAME,
    chunks: list[bytes] | None = None,
    *,
    body: bytes | None = None,
) -> bool:
    with open_intake(session, name) as intake:
        intake.write(body or xorb(chunks or CHUNKS, GROUPED))
        return intake.finish()


def take(session: Session, data: bytes) -> int:
    return take_shard(session, io.BytesIO(data), actor="alice")


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def stored(data: bytes) -> bool:
    blob = open_store().blob(sha(data))
    return blob.is_file() and blob.read_bytes() == data


def staged() -> list[str]:
    return sorted(path.name for path in (open_store().root / "xorbs").rglob("*-*"))


def nothing_staged() -> bool:
    return not any(open_store().stagings.iterdir())


def epoch_of(session: Session) -> int:
    return RegisteredModel.objects.get(pk=session.model.pk).cas_epoch


def test_a_file_of_chunks_becomes_a_blob_that_the_model_leases(session):
    assert send(session)
    assert take(session, honest_shard(NAME, CHUNKS)) == 1
    whole = b"".join(CHUNKS)
    assert stored(whole)
    assert readable_blobs(session.model, [sha(whole)]) == {sha(whole): len(whole)}
    assert Lease.objects.get().owner == "alice"
    assert nothing_staged()
    assert staged() == []


def test_several_files_come_out_of_one_xorb(session):
    send(session)
    parts = [(0, 1), (1, 4), (2, 3)]
    files = [b"".join(CHUNKS[start:end]) for start, end in parts]
    entries = [
        file_entry([(NAME, start, end, len(data))], sha(data))
        for (start, end), data in zip(parts, files, strict=True)
    ]
    assert take(session, shard(*entries)) == 3
    assert all(stored(data) for data in files)


def test_a_later_file_builds_on_chunks_in_stored_files(session):
    send(session)
    take(session, honest_shard(NAME, CHUNKS))
    new, fresh = name_of("new"), [b"brand new" * 50]
    send(session, new, fresh)
    data = CHUNKS[0] + fresh[0] + CHUNKS[2] + CHUNKS[3]
    ranges = [
        (NAME, 0, 1, len(CHUNKS[0])),
        (new, 0, 1, len(fresh[0])),
        (NAME, 2, 4, len(CHUNKS[2]) + 1),
    ]
    take(session, shard(file_entry(ranges, sha(data))))
    assert stored(data)
    assert staged() == []


def test_chunks_stay_findable_when_the_older_file_is_swept(session):
    send(session)
    take(session, honest_shard(NAME, CHUNKS))
    data = CHUNKS[2] + CHUNKS[0] + CHUNKS[1] + CHUNKS[3]
    ranges = [(NAME, n, n + 1, len(CHUNKS[n])) for n in (2, 0, 1, 3)]
    take(session, shard(file_entry(ranges, sha(data))))
    open_store().blob(sha(b"".join(CHUNKS))).unlink()
    again = CHUNKS[0] + CHUNKS[2]
    ranges = [(NAME, n, n + 1, len(CHUNKS[n])) for n in (0, 2)]
    take(session, shard(file_entry(ranges, sha(again))))
    assert stored(again)


def test_a_shard_sent_twice_does_its_work_once(session):
    send(session)
    for _ in range(2):
        assert take(session, honest_shard(NAME, CHUNKS)) == 1
    assert Blob.objects.count() == 1


def test_a_file_that_is_here_is_not_put_together_again(session):
    """Its chunks could not even be found."""
    send(session)
    take(session, honest_shard(NAME, CHUNKS))
    Xorb.objects.update(pieces=[[0, len(CHUNKS), name_of("no blob"), 0]])
    assert take(session, honest_shard(NAME, CHUNKS)) == 1
    assert Lease.objects.count() == 2


def test_what_others_have_is_put_together_all_the_same(session):
    """That somebody else stored these bytes is nobody's business, and no reason to trust."""
    other = make_session("other/model")
    send(other)
    take(other, honest_shard(NAME, CHUNKS))
    with pytest.raises(ChunksGone):
        take(session, honest_shard(NAME, CHUNKS))
    assert not Lease.objects.filter(model=session.model).exists()


def test_a_xorb_sent_twice_is_not_taken_twice(session):
    assert send(session)
    assert not send(session)
    take(session, honest_shard(NAME, CHUNKS))
    assert not send(session)


def test_a_xorb_whose_chunks_were_lost_is_taken_again(session):
    send(session)
    for path in (open_store().root / "xorbs").rglob("*-*"):
        path.unlink()
    assert send(session)
    assert take(session, honest_shard(NAME, CHUNKS)) == 1


def test_a_forged_xorb_cannot_replace_one_that_is_counted_on(session):
    send(session)
    assert not send(session, NAME, [b"forged"])
    take(session, honest_shard(NAME, CHUNKS))
    assert stored(b"".join(CHUNKS))


def test_a_xorb_of_another_model_cannot_be_named(session):
    send(make_session("other/model"))
    with pytest.raises(ChunksGone, match="push again"):
        take(session, honest_shard(NAME, CHUNKS))
    assert not stored(b"".join(CHUNKS))


def test_a_xorb_of_another_epoch_cannot_be_named(session):
    send(session)
    with pytest.raises(ChunksGone):
        take(Session(session.model, 2), honest_shard(NAME, CHUNKS))


def test_missing_chunks_end_the_epoch_once(session):
    for _ in range(3):
        with pytest.raises(ChunksGone):
            take(session, honest_shard(NAME, CHUNKS))
    assert epoch_of(session) == 2


def test_bytes_that_are_not_the_promised_ones_are_refused(session):
    send(session, NAME, [b"forged" * 100])
    entry = file_entry([(NAME, 0, 1, 600)], sha(b"honest" * 100))
    with pytest.raises(ChunksGone, match="other bytes"):
        take(session, shard(entry))
    assert Blob.objects.count() == 0
    assert epoch_of(session) == 2
    assert nothing_staged()


def test_a_file_without_a_promise_is_kept_under_what_it_is(session):
    send(session)
    take(session, shard(file_entry([(NAME, 0, 1, len(CHUNKS[0]))])))
    assert stored(CHUNKS[0])


def test_files_before_a_refused_one_are_kept(session):
    send(session)
    good = file_entry([(NAME, 0, 1, len(CHUNKS[0]))], sha(CHUNKS[0]))
    with pytest.raises(XetRefused):
        take(session, shard(good, file_entry([(NAME, 0, 2, 5)], sha(b"x"))))
    assert stored(CHUNKS[0])
    assert nothing_staged()


def test_a_body_that_breaks_off_leaves_nothing(session):
    with pytest.raises(XetRefused):
        send(session, body=xorb(CHUNKS)[:-3])
    assert nothing_staged()
    assert staged() == []
    assert not Xorb.objects.exists()


def test_chunks_survive_until_another_process_gets_the_shard(session):
    """What waits for a shard is not staging: a restart does not clear it."""
    send(session)
    services.recover()
    assert take(session, honest_shard(NAME, CHUNKS)) == 1


def test_chunks_that_waited_too_long_are_removed_and_end_the_epoch(session):
    send(session)
    later = timezone.now() + timedelta(hours=25)
    assert remove_stale(now=timezone.now()) == 0
    assert remove_stale(now=later) == 1
    assert staged() == []
    assert epoch_of(session) == 2


def test_chunks_in_a_file_that_rotted_are_found_out(session):
    """The file made of them comes out wrong: refused, and the next upload sends everything."""
    send(session)
    take(session, honest_shard(NAME, CHUNKS))
    blob = open_store().blob(sha(b"".join(CHUNKS)))
    blob.chmod(0o644)
    blob.write_bytes(b"F" + blob.read_bytes()[1:])
    with pytest.raises(ChunksGone):
        take(session, shard(file_entry([(NAME, 0, 1, len(CHUNKS[0]))], sha(CHUNKS[0]))))
    assert epoch_of(session) == 2
    assert not open_store().blob(sha(b"F" + CHUNKS[0][1:])).exists()


def test_placed_chunks_are_remembered_for_a_month(session):
    send(session)
    take(session, honest_shard(NAME, CHUNKS))
    assert remove_stale(now=timezone.now() + timedelta(days=29)) == 0
    assert remove_stale(now=timezone.now() + timedelta(days=31)) == 1
    assert epoch_of(session) == 1


def test_sweeping_the_blob_under_chunks_ends_the_epoch(session):
    send(session)
    take(session, honest_shard(NAME, CHUNKS))
    Lease.objects.all().delete()
    Blob.objects.all().delete()
    assert remove_stale(now=timezone.now()) == 1
    assert epoch_of(session) == 2


def test_chunks_of_an_ended_epoch_go_after_a_day(session):
    send(session)
    take(session, honest_shard(NAME, CHUNKS))
    RegisteredModel.objects.update(cas_epoch=2)
    assert remove_stale(now=timezone.now()) == 0
    assert remove_stale(now=timezone.now() + timedelta(hours=25)) == 1
    assert epoch_of(session) == 2


def test_many_xorbs_and_files_keep_few_files_open(session, monkeypatch):
    monkeypatch.setattr(ingest, "_KNOWN_XORBS", 2)
    monkeypatch.setattr(ingest, "_OPEN_FILES", 2)
    names = [name_of(str(n)) for n in range(6)]
    data = [f"file {n}".encode() * 100 for n in range(6)]
    for name, piece in zip(names, data, strict=True):
        send(session, name, [piece])
        take(session, honest_shard(name, [piece]))
    ranges = [(name, 0, 1, len(piece)) for name, piece in zip(names, data, strict=True)]
    whole = b"".join(data)
    take(session, shard(file_entry(ranges, sha(whole))))
    assert stored(whole)
