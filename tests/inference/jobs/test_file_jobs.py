"""Jobs on files: every row once, in order, whatever ends the process in between."""

import asyncio
import csv
import gzip
import io
import json
import os
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from access.database import in_thread
from inference.errors import JobConflict, JobDiskFull, JobFileRefused
from inference.jobs import files, listing, services, storage
from inference.jobs.asking import Asker
from inference.jobs.file_runner import FileRun, open_rows
from inference.jobs.files import Order
from inference.jobs.labels import TrueLabel, give_nowhere
from inference.jobs.looking import Wanted
from inference.jobs.models import Job, JobFile, JobState
from inference.jobs.pruning import prune_jobs
from inference.jobs.rows import Format
from inference.jobs.runner import FileJobs, JobRunner
from inference.jobs.services import LEASE_S
from tests.inference.conftest import Plane
from tests.inference.jobs.conftest import MODEL
from tests.inference.jobs.files import csv_of, jsonl_of, packed, parquet_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("home")]
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
UNFINISHED = (JobState.QUEUED, JobState.RUNNING)


def make_job(data: bytes, format: str, *, keeps: bool = True, **wanted: str) -> UUID:
    incoming = storage.make_incoming(files.get_root())
    incoming.write_bytes(data)
    order = Order(MODEL, Wanted(Format(format), **wanted), keeps, "key", "request")
    return files.create(order, incoming, now=datetime.now(UTC) - timedelta(minutes=1))


def run_until(
    plane: Plane, is_done: Callable[[], bool], *, timeout_s: float = 30, **options: object
) -> None:
    async def run() -> None:
        runner = JobRunner(plane.service, files=FileJobs(**options))
        runner.start()
        for _ in range(int(timeout_s / 0.02)):
            if await in_thread(is_done):
                break
            await asyncio.sleep(0.02)
        else:
            raise AssertionError("the jobs did not get there in time")
        await runner.stop()

    asyncio.run(run())


def finish(plane: Plane, job_id: UUID, **options: object) -> Job:
    rows = Job.objects.filter(pk=job_id)
    run_until(plane, lambda: not rows.filter(state__in=UNFINISHED).exists(), **options)
    return rows.select_related("file").get()


def results(job: Job) -> bytes:
    return b"".join(listing.results_of(job).pieces())


def errors(job: Job) -> list[dict]:
    data = b"".join(listing.errors_of(job).pieces())
    return [json.loads(line) for line in data.splitlines()]


def csv_rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def test_csv_is_answered_row_by_row_with_its_other_columns(plane):
    data = csv_of(
        [["id", "text", "label"], ["7", 'a "very" good one', "x"], ["8", "bad\nline", "y"]]
    )
    job = finish(plane, make_job(data, "csv"))
    first, second = csv_rows(results(job))
    assert job.state == JobState.COMPLETED
    assert (job.n_inputs, job.n_done, job.n_failed) == (2, 2, 0)
    assert list(first) == [
        *("line", "id", "text", "input_label", "label", "score", "version", "prediction_id")
    ]
    assert (first["id"], first["text"], first["input_label"]) == ("7", 'a "very" good one', "x")
    assert (first["label"], second["label"]) == ("POSITIVE", "NEGATIVE")
    assert (second["line"], second["text"], second["version"]) == ("3", "bad\nline", "1")
    assert [row["prediction_id"] for row in (first, second)] == [
        str(record.id) for record in plane.recorder.records
    ]


def test_json_lines_keep_their_fields_and_packed_stays_packed(plane):
    items = [{"text": "good", "n": {"a": [1]}}, "plain", {"text": "x", "label": 1}]
    job = finish(plane, make_job(packed(jsonl_of(items)), "jsonl"))
    rows = [json.loads(line) for line in gzip.decompress(results(job)).splitlines()]
    assert [row["text"] for row in rows] == ["good", "plain", "x"]
    assert (rows[0]["n"], rows[0]["label"], rows[2]["input_label"]) == ({"a": [1]}, "POSITIVE", 1)
    assert listing.results_of(job).name == f"job-{job.id}.jsonl.gz"


def test_plain_text_becomes_columns_between_tabs(plane):
    job = finish(plane, make_job(b"good\tone\n\nbad\n", "text"))
    head, first, second = results(job).decode().splitlines()
    assert head == "line\tlabel\tscore\tversion\tprediction_id\ttext"
    assert first.startswith("1\tPOSITIVE\t")
    assert first.endswith("\tgood\tone")
    assert second.split("\t")[0] == "3"
    assert errors(job) == [{"line": 2, "code": "empty_text", "reason": "the text is empty"}]


def test_parquet_keeps_the_types_of_its_columns(plane, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    n = 700
    columns = {
        "text": ["good" if i % 2 else "bad" for i in range(n)],
        "tags": [[i, i + 1] for i in range(n)],
        "at": pa.array(range(n), pa.timestamp("ns")),
        "of": [{"x": i} for i in range(n)],
    }
    columns["text"][5] = None
    job = finish(plane, make_job(parquet_of(tmp_path / "p", columns, group=100), "parquet"))
    assert (job.state, job.n_inputs, job.n_failed) == (JobState.COMPLETED, n, 1)
    path = tmp_path / "out.parquet"
    path.write_bytes(results(job))
    table = pq.read_table(path)
    assert table.column("line").to_pylist() == [i + 1 for i in range(n) if i != 5]
    assert table.schema.field("at").type == pa.timestamp("ns")
    assert table.column("of").to_pylist()[6] == {"x": 7}
    assert table.column("label").to_pylist()[:2] == ["NEGATIVE", "POSITIVE"]
    assert [each["line"] for each in errors(job)] == [6]


def test_without_other_columns_only_the_text_is_passed_on(plane):
    job = finish(plane, make_job(csv_of([["a", "text"], ["1", "good"]]), "csv", keeps=False))
    [row] = csv_rows(results(job))
    assert list(row) == ["line", "text", "label", "score", "version", "prediction_id"]


def test_rows_that_fail_are_named_and_stop_no_other(plane):
    texts = [f"good {n}" for n in range(100)]
    for n in (3, 40, 41, 99):
        texts[n] = "poison"
    data = "\n".join(texts[:50]).encode() + b"\n\xff\n" + "\n".join(texts[50:]).encode()
    job = finish(plane, make_job(data, "text"))
    assert (job.state, job.n_done, job.n_failed) == (JobState.COMPLETED, 96, 5)
    assert [(each["line"], each["code"]) for each in errors(job)] == [
        (4, "input_failed"),
        (41, "input_failed"),
        (42, "input_failed"),
        (51, "not_utf8"),
        (101, "input_failed"),
    ]
    assert "secret internals" not in json.dumps(errors(job))
    lines = [int(line.split("\t")[0]) for line in results(job).decode().splitlines()[1:]]
    assert lines == [n for n in range(1, 102) if n not in (4, 41, 42, 51, 101)]


def test_a_file_without_rows_has_a_head_and_is_completed(plane, tmp_path):
    import pyarrow.parquet as pq

    job = finish(plane, make_job(b"id,text\n", "csv"))
    assert results(job) == b"line,id,text,label,score,version,prediction_id\r\n"
    import pyarrow as pa

    data = parquet_of(tmp_path / "p", {"text": pa.array([], pa.string())})
    job = finish(plane, make_job(data, "parquet"))
    path = tmp_path / "out.parquet"
    path.write_bytes(results(job))
    assert (pq.read_table(path).num_rows, job.n_inputs) == (0, 0)


@pytest.mark.parametrize("kind", ["csv", "packed", "parquet"])
def test_a_job_left_behind_goes_on_after_its_last_finished_chunk(plane, tmp_path, kind):
    texts = [f"text {n}" for n in range(600)]
    rows = csv_of([["text"], *([text] for text in texts)])
    data = {"csv": rows, "packed": packed(rows)}.get(kind) or parquet_of(
        tmp_path / "p", {"text": texts}
    )
    job_id = make_job(data, "parquet" if kind == "parquet" else "csv")
    row = JobFile.objects.filter(pk=job_id)
    run_until(plane, lambda: row.filter(input_line__gt=0).exists())
    committed = row.get()
    [[name, _, _]] = committed.segments
    folder = storage.folder_of(files.get_root(), job_id)
    # As kill -9 leaves it: bytes of a chunk that does not count, and a lease that nobody renews.
    with folder.results(name).open("ab") as file:
        file.write(b"half a chunk, ")
    dead = datetime.now(UTC) - timedelta(seconds=1)
    Job.objects.filter(pk=job_id).update(state=JobState.RUNNING, owner="dead", leased_until=dead)
    assert 0 < committed.input_line < 600
    job = finish(plane, job_id)
    assert (job.state, job.n_inputs, job.n_done) == (JobState.COMPLETED, 600, 600)
    assert len(job.file.segments) == 2
    out = results(job)
    if kind == "parquet":
        import pyarrow.parquet as pq

        (tmp_path / "out.parquet").write_bytes(out)
        found = pq.read_table(tmp_path / "out.parquet").column("text").to_pylist()
    else:
        unpacked = gzip.decompress(out) if kind == "packed" else out
        found = [row["text"] for row in csv_rows(unpacked)]
    assert found == texts


def test_a_process_taken_for_dead_that_writes_on_changes_nothing(plane):
    job_id = make_job(b"a\nb\n", "text")
    long_ago = datetime.now(UTC) - timedelta(seconds=LEASE_S + 1)
    stale = services.claim("stale", now=long_ago, sees=files.sees)
    work = files.load_work(job_id)
    storage.begin(work.folder, "stale")
    job = finish(plane, job_id)
    before = results(job)
    storage.append(work.folder.results("stale"), 0, b"late")
    progress = files.Progress(work.progress.place, (storage.Segment("stale", 4, 0),), 0)
    now = datetime.now(UTC)
    assert not files.keep_chunk(
        stale, progress, n_done=1, n_failed=0, labels=(), worked_s=1.0, now=now
    )
    assert results(job) == before


def test_labels_become_feedback_of_the_predictions_of_their_rows(plane):
    given: list[tuple[str, str]] = []

    def give(labels, key_id):
        given.extend((str(each.prediction_id), each.label) for each in labels)
        return ["unknown_label" if each.label == "odd" else "" for each in labels]

    data = csv_of([["text", "y"], ["good", "1"], ["bad", "POSITIVE"], ["x", ""], ["z", "odd"]])
    job = finish(plane, make_job(data, "csv", label="y"), give=give)
    ids = [row["prediction_id"] for row in csv_rows(results(job))]
    assert given == [(ids[0], "POSITIVE"), (ids[1], "POSITIVE"), (ids[3], "odd")]
    assert (job.file.n_labels, job.file.n_labels_refused) == (2, 1)
    assert job.file.pending_labels == []


def test_labels_that_a_crash_left_are_given_by_the_next_process(plane):
    given: list[str] = []
    job_id = make_job(csv_of([["text", "y"], ["good", "a"]]), "csv", label="y")
    waiting = "01900000-0000-7000-8000-000000000000"
    JobFile.objects.filter(pk=job_id).update(pending_labels=[[waiting, "before"]])

    def give(labels, key_id):
        given.extend(each.label for each in labels)
        return [""] * len(labels)

    job = finish(plane, job_id, give=give)
    assert given == ["before", "a"]
    assert job.file.n_labels == 2


def test_labels_that_another_process_has_put_there_stay(plane):
    job_id = make_job(csv_of([["text", "y"], ["good", "a"]]), "csv", label="y")
    before = TrueLabel(UUID("01900000-0000-7000-8000-000000000000"), "before")
    after = TrueLabel(UUID("01900000-0000-7000-8000-000000000001"), "after")
    row = JobFile.objects.filter(pk=job_id)
    row.update(pending_labels=[[str(after.prediction_id), after.label]])
    files.labels_given(job_id, [before], n_refused=0)
    assert (row.get().n_labels, len(row.get().pending_labels)) == (0, 1)
    files.labels_given(job_id, [after], n_refused=0)
    assert (row.get().n_labels, row.get().pending_labels) == (1, [])


def test_a_full_disk_pauses_the_job_and_it_goes_on_where_there_is_room(plane):
    job_id = make_job(b"good\nbad\n", "text")
    folder = storage.folder_of(files.get_root(), job_id)
    os.symlink("/dev/full", folder.results("full"))
    job = finish(plane, job_id, name_segment=lambda: "full")
    assert (job.state, job.error_code) == (JobState.PAUSED, "job_disk_full")
    assert "Make room" in job.error_message
    services.resume(job_id)
    job = finish(plane, job_id)
    assert (job.state, job.n_done, job.error_code) == (JobState.COMPLETED, 2, "")


def test_a_file_that_is_damaged_later_on_keeps_what_was_answered(plane):
    texts = [f"{n} {os.urandom(8).hex()}" for n in range(3000)]
    data = packed("\n".join(texts).encode())
    job = finish(plane, make_job(data[: len(data) // 2], "text"))
    assert (job.state, job.error_code) == (JobState.FAILED, "job_file_refused")
    lines = gzip.decompress(results(job)).decode().splitlines()[1:]
    assert [line.rpartition("\t")[2] for line in lines] == texts[: len(lines)]
    assert len(lines) == job.n_done > 100


def test_a_waiting_job_pauses_resumes_and_is_cancelled_at_once():
    job_id = make_job(b"a\n", "text")
    rows = Job.objects.filter(pk=job_id)

    def state() -> str:
        return rows.values_list("state", flat=True)[0]

    for _ in range(2):
        services.pause(job_id, now=NOW)
        assert state() == JobState.PAUSED
    assert services.claim("a", now=NOW, sees=files.sees) is None
    for _ in range(2):
        services.resume(job_id)
        assert state() == JobState.QUEUED
    for _ in range(2):
        services.cancel(job_id, now=NOW)
        assert state() == JobState.CANCELLED
    for act in (lambda: services.pause(job_id, now=NOW), lambda: services.resume(job_id)):
        with pytest.raises(JobConflict):
            act()


@pytest.mark.parametrize("act", ["pause", "cancel"])
def test_what_is_asked_of_a_running_job_happens_between_chunks(plane, act):
    texts = "\n".join(f"text {n}" for n in range(3000)).encode()
    job_id = make_job(texts, "text")
    row = JobFile.objects.filter(pk=job_id)
    asked = []

    def is_done() -> bool:
        if not asked and row.filter(input_line__gt=0).exists():
            getattr(services, act)(job_id, now=datetime.now(UTC))
            asked.append(act)
        return not Job.objects.filter(pk=job_id, state__in=UNFINISHED).exists()

    run_until(plane, is_done)
    job = Job.objects.select_related("file").get(pk=job_id)
    assert job.state == {"pause": JobState.PAUSED, "cancel": JobState.CANCELLED}[act]
    assert 0 < job.n_done < 3000
    assert len(results(job).splitlines()) == job.n_done + 1
    if act == "pause":
        services.resume(job_id)
        job = finish(plane, job_id)
        lines = [line.split("\t")[0] for line in results(job).decode().splitlines()[1:]]
        assert lines == [str(n + 1) for n in range(3000)]


def test_what_was_asked_of_a_process_that_died_is_done_by_the_next():
    job_id = make_job(b"a\n", "text")
    assert services.claim("dies", now=NOW, sees=files.sees)
    services.cancel(job_id, now=NOW)
    assert Job.objects.get(pk=job_id).asked == "cancel"
    later = NOW + timedelta(seconds=LEASE_S + 1)
    assert services.claim("next", now=later, sees=files.sees) is None
    assert Job.objects.get(pk=job_id).state == JobState.CANCELLED


def test_a_process_that_does_not_see_the_file_leaves_the_job_to_others():
    hidden, seen = make_job(b"a\n", "text"), make_job(b"b\n", "text")
    storage.folder_of(files.get_root(), hidden).input.unlink()
    claims = [services.claim(owner, now=NOW, sees=files.sees) for owner in ("a", "b")]
    assert [claim and claim.id for claim in claims] == [seen, None]


def test_workers_on_inline_texts_and_on_files_leave_each_other_their_jobs():
    on_file = make_job(b"a\n", "text")
    inline = services.create_job(MODEL, ["a"], key_id="k", request_id="r", now=NOW)
    assert services.claim("a", now=NOW).id == inline
    assert services.claim("a", now=NOW) is None
    assert services.claim("a", now=NOW, sees=files.sees).id == on_file


def test_a_refused_file_leaves_nothing_behind(home):
    with pytest.raises(JobFileRefused):
        make_job(b"a,b\n", "csv")
    assert not Job.objects.exists()
    assert [path.name for path in (home / "jobs").iterdir()] == ["incoming"]


def test_a_file_larger_than_the_disk_is_refused_before_it_comes(home):
    storage.make_incoming(files.get_root())
    with pytest.raises(JobDiskFull, match="are free"):
        storage.check_room(files.get_root(), 2**60)


def test_old_jobs_go_with_their_files_and_leftovers_too(home, settings):
    settings.BELLWETHER_RETENTION_DAYS = 30
    old, waiting = make_job(b"a\n", "text"), make_job(b"b\n", "text")
    Job.objects.filter(pk=old).update(state=JobState.CANCELLED, finished_at=NOW)
    incoming = storage.make_incoming(files.get_root())
    incoming.write_bytes(b"lost")
    rowless = files.get_root() / "00000000-0000-4000-8000-000000000000"
    rowless.mkdir()
    for path in (incoming, rowless):
        os.utime(path, (0, 0))
    assert prune_jobs.call() == 1
    assert not storage.folder_of(files.get_root(), old).root.exists()
    assert storage.folder_of(files.get_root(), waiting).is_here()
    assert not incoming.exists()
    assert not rowless.exists()


@pytest.mark.each_on_postgres
@pytest.mark.parametrize("seed", range(4))
def test_work_that_ends_anywhere_leaves_each_row_once(plane, seed):
    """What ends is not told and gives nothing back; its threads may write on, as a process does
    that was only taken for dead.
    """
    rng = random.Random(seed)
    texts = [f"text {n}" if n % 90 else "" for n in range(1500)]
    job_id = make_job(packed("\n".join(texts).encode()), "text")
    rows = Job.objects.filter(pk=job_id)

    def free() -> None:
        rows.update(leased_until=datetime.now(UTC) - timedelta(seconds=1), n_attempts=0)

    async def work(owner: str, n_steps: int | None) -> None:
        claim = None
        while claim is None:
            await in_thread(free)
            # None where a thread of who was ended has just prolonged its lease, or ended the job.
            claim = await in_thread(
                lambda: services.claim(owner, now=datetime.now(UTC), sees=files.sees)
            )
            if await in_thread(lambda: rows.get().state == JobState.COMPLETED):
                return
        found = await in_thread(lambda: files.load_work(job_id))
        asker = Asker(plane.service, MODEL, "k", "r", lambda: float("inf"))
        opened = open_rows(found)
        run = FileRun(
            claim,
            found,
            opened,
            asker=asker,
            give=give_nowhere,
            clock=lambda: datetime.now(UTC),
            segment=owner,
        )
        task = asyncio.create_task(run.run())
        while not task.done() and n_steps != 0:
            await asyncio.sleep(0)
            n_steps = None if n_steps is None else n_steps - 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        opened.close()

    async def end_often() -> None:
        for n in range(12):
            await work(f"{seed}-{n}", rng.randrange(1, 4000))
        await work(f"{seed}-last", None)

    asyncio.run(end_often())
    job = rows.select_related("file").get()
    assert (job.state, job.n_inputs) == (JobState.COMPLETED, 1500)
    lines = gzip.decompress(results(job)).decode().splitlines()[1:]
    assert [int(line.split("\t")[0]) for line in lines] == [
        n + 1 for n, text in enumerate(texts) if text
    ]
    assert [each["line"] for each in errors(job)] == [
        n + 1 for n, text in enumerate(texts) if not text
    ]
