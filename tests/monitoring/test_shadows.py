"""Shadow records become sums, exactly once, and never predictions."""

import io
import itertools
import json
import multiprocessing
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from access.scopes import Scope
from inference.comparing import Primary, compared, not_compared
from inference.journal import Journal
from inference.tasks.ports import Decoded
from monitoring import recorder, shadow_counts
from monitoring.differences import EDGES, edge_of, quantile
from monitoring.keeping import load_position
from monitoring.models import (
    ConfusionCell,
    Prediction,
    PredictionCount,
    ShadowCell,
    ShadowFlip,
    ShadowTally,
)
from monitoring.queries import load_quality
from monitoring.recorder import JournalWriter
from monitoring.recounts import recount
from monitoring.rollups import Scope as Quality
from monitoring.services import give_feedback
from monitoring.shadows import load_shadow
from monitoring.specs import FeedbackItem
from monitoring.windows import Window
from tests.inference.doubles import a_spec
from tests.monitoring.builders import (
    MODEL,
    NOW,
    client,
    day_cells,
    day_counts,
    make_prediction,
    make_record,
    register,
)

pytestmark = pytest.mark.django_db
WINDOW = Window(NOW - timedelta(hours=2), NOW + timedelta(hours=1))


def decoded(label: str, score: float) -> Decoded:
    other = "NEGATIVE" if label == "POSITIVE" else "POSITIVE"
    return Decoded({}, label, score, {label: score, other: 1 - score})


def make_copy(
    primary: tuple[str, float] = ("POSITIVE", 0.9),
    shadow: tuple[str, float] = ("POSITIVE", 0.8),
    *,
    at: datetime = NOW,
    versions: tuple[int, int] = (1, 2),
    seconds: tuple[float, float] = (0.002, 0.003),
    prediction_id: object = None,
):
    """The record of one text that both versions answered, as serving makes it."""
    theirs = Primary(
        spec=a_spec(versions[0], MODEL),
        ids=[prediction_id or uuid4()],
        decoded=[decoded(*primary)],
        seconds=[seconds[0]],
    )
    return compared(
        theirs,
        0,
        a_spec(versions[1], MODEL),
        decoded(*shadow),
        seconds=seconds[1],
        at=at.timestamp(),
    )


def make_note(outcome: str, *, at: datetime = NOW):
    theirs = Primary(spec=a_spec(1, MODEL), ids=[], decoded=[], seconds=[])
    return not_compared(theirs, a_spec(2, MODEL), outcome=outcome, reason="why", at=at.timestamp())


def write(journal: Journal, *records) -> JournalWriter:
    journal.record(records)
    writer = JournalWriter(journal)
    while writer.run_once():
        pass
    return writer


FLIPPED = {"primary": ("POSITIVE", 0.6), "shadow": ("NEGATIVE", 0.7)}


def test_copies_become_sums_and_no_predictions(journal):
    register()
    write(journal, make_record(at=NOW.timestamp()), *(make_copy() for _ in range(3)))
    write(journal, make_copy(**FLIPPED), make_note("failed"), make_note("off"))
    assert Prediction.objects.count() == sum(day_counts().values()) == 1
    (row,) = load_shadow(MODEL, WINDOW).comparisons
    assert (row.primary_version, row.shadow_version, row.n_compared) == (1, 2, 4)
    assert row.agreement.value == 0.75
    assert [(f.predicted, f.shadowed, f.n) for f in row.flips] == [("POSITIVE", "NEGATIVE", 1)]
    assert row.difference.mean == pytest.approx((3 * 0.1 + 0.3) / 4, abs=1e-5)
    assert row.difference.p50 in {0.1, 0.15}
    assert row.difference.p99 in {0.3, 0.4}
    assert row.latency_ratio == pytest.approx(1.5)
    assert (row.n_failed, row.n_off, row.verdict) == (1, 1, "INSUFFICIENT_DATA")


def test_copies_take_no_part_in_quality(journal):
    register()
    register(number=2)
    write(journal, *(make_copy() for _ in range(5)))
    report = load_quality(Quality(model=MODEL, window=WINDOW))
    assert (report.n_predicted, report.quality.n_labelled) == (0, 0)


def test_pairs_and_hours_are_kept_apart_and_windows_are_of_whole_hours(journal):
    for number in (1, 2, 3):
        register(number=number)
    write(
        journal,
        make_copy(versions=(1, 3)),
        make_copy(versions=(2, 3)),
        make_copy(versions=(1, 2)),
        make_copy(versions=(1, 2), at=NOW - timedelta(hours=3)),
    )
    report = load_shadow(MODEL, Window(NOW, NOW + timedelta(minutes=1)))
    assert report.window == Window(NOW.replace(minute=0), NOW.replace(hour=13, minute=0))
    pairs = [
        (row.shadow_version, row.primary_version, row.n_compared) for row in report.comparisons
    ]
    assert pairs == [(3, 2, 1), (3, 1, 1), (2, 1, 1)]
    only = load_shadow(MODEL, WINDOW, version=2).comparisons
    assert [row.shadow_version for row in only] == [2]


def test_only_the_newest_flips_are_kept_with_their_predictions(journal, monkeypatch):
    monkeypatch.setattr(shadow_counts, "KEPT_FLIPS", 5)
    register()
    ids = [uuid4() for _ in range(12)]
    for part in (ids[:4], ids[4:]):
        write(journal, *(make_copy(**FLIPPED, prediction_id=each) for each in part))
    kept = ShadowFlip.objects.order_by("id").values_list("prediction", flat=True)
    assert list(kept) == ids[-5:]
    (row,) = load_shadow(MODEL, WINDOW).comparisons
    assert [flip.prediction_id for flip in row.recent] == ids[:-6:-1]
    assert row.flips[0].n == 12


@pytest.mark.each_on_postgres
@pytest.mark.parametrize("step", ["before commit", "after commit", "after discard"])
def test_a_writer_that_dies_at_any_step_counts_copies_once(journal, monkeypatch, step):
    for _ in range(30):
        journal.record([make_record(), make_copy(), make_copy(**FLIPPED)])
    real_keep, real_discard = recorder.keep, recorder.discard_before
    calls = itertools.count()

    class Died(Exception):
        pass

    def dying_keep(*args):
        dies = next(calls) % 2 == 0
        if dies and step == "before commit":
            raise Died
        n = real_keep(*args)
        if dies and step == "after commit":
            raise Died
        return n

    def dying_discard(*args):
        real_discard(*args)
        if step == "after discard":
            raise Died

    monkeypatch.setattr(recorder, "CHUNK_RECORDS", 4)
    monkeypatch.setattr(recorder, "keep", dying_keep)
    monkeypatch.setattr(recorder, "discard_before", dying_discard)
    n_deaths = 0
    while load_position(journal.id) < journal.end:
        try:
            writer = JournalWriter(journal)
            while writer.run_once():
                pass
        except Died:
            n_deaths += 1
    assert n_deaths > 1
    assert_counted(30, 30)
    assert Prediction.objects.count() == 30


def assert_counted(n_agreed: int, n_flipped: int) -> None:
    cells = {(row.predicted, row.shadowed): row.n for row in ShadowCell.objects.all()}
    assert cells == {("POSITIVE", "POSITIVE"): n_agreed, ("POSITIVE", "NEGATIVE"): n_flipped}
    tallies = {row.name: row.n for row in ShadowTally.objects.all()}
    assert tallies["primary_us"] == 2000 * (n_agreed + n_flipped)
    n_within = sum(n for name, n in tallies.items() if name.startswith("within:"))
    assert n_within == n_agreed + n_flipped


def _write_until_killed(root, ready) -> None:
    connections.close_all()
    journal = Journal.open(root, segment_bytes=4096)
    for _ in range(300):
        journal.record([make_copy(), make_copy(**FLIPPED)])
    ready.set()
    recorder.CHUNK_RECORDS = 3
    writer = JournalWriter(journal)
    while writer.run_once():
        pass
    signal.pause()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_kill_9_while_copies_are_being_counted_counts_each_once(tmp_path):
    context = multiprocessing.get_context("fork")
    for wait_s in (0.02, 0.1, 0.25):
        ShadowCell.objects.all().delete()
        ShadowTally.objects.all().delete()
        connections.close_all()
        root, ready = tmp_path / str(wait_s), context.Event()
        process = context.Process(target=_write_until_killed, args=(root, ready))
        process.start()
        assert ready.wait(30)
        time.sleep(wait_s)
        os.kill(process.pid, signal.SIGKILL)
        process.join(30)
        heir = Journal.open(root)
        assert JournalWriter(heir).replay_orphans() == 1
        heir.close()
        assert_counted(300, 300)


@pytest.mark.django_db(transaction=True)
def test_a_copy_that_cannot_be_counted_is_set_aside_and_costs_no_other(journal):
    import msgspec

    bad = make_copy()
    bad = msgspec.structs.replace(
        bad, compared=msgspec.structs.replace(bad.compared, delta=float("nan"))
    )
    writer = write(journal, make_copy(), bad, make_copy(**FLIPPED))
    assert writer.n_corrupt == 1
    assert_counted(1, 1)


def test_an_older_program_s_record_is_a_live_one(journal):
    """A journal written before routes were recorded is read as before."""
    import msgspec

    from inference.records import PredictionRecord

    old = msgspec.msgpack.encode(list(msgspec.structs.astuple(make_record()))[:-2])
    record = msgspec.msgpack.decode(old, type=PredictionRecord)
    assert (record.route, record.compared) == ("live", None)


# Pinned answers


def test_a_pinned_prediction_is_kept_and_shown_and_not_counted(journal):
    register()
    live, pinned = make_prediction(), make_prediction(route="pinned")
    assert sum(day_counts().values()) == 1
    items = [FeedbackItem(row.id, "NEGATIVE", None) for row in (live, pinned)]
    outcomes = give_feedback(items, key_id="k", now=NOW)
    assert [outcome.status for outcome in outcomes] == ["recorded", "recorded"]
    assert sum(day_cells().values()) == 1
    shown = client(Scope.READ).get(f"/api/v1/predictions/{pinned.id}").json()
    assert (shown["route"], shown["correct_label"]) == ("pinned", "NEGATIVE")


def test_a_recount_agrees_that_pinned_predictions_do_not_count():
    now = datetime.now(UTC)
    register()
    for route in ("live", "pinned"):
        row = make_prediction(at=now, route=route)
        give_feedback([FeedbackItem(row.id, "NEGATIVE", None)], key_id="k", now=now)
    result = recount(MODEL, now.date(), now=now + timedelta(seconds=1))
    assert result.differences == ()
    assert result.n_predictions == 1
    assert PredictionCount.objects.exists()
    assert ConfusionCell.objects.exists()


# Histogram


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.floats(0.01, 0.99))
def test_a_quantile_bounds_the_true_one_from_above_within_its_bin(values, q):
    counts: dict[float, int] = {}
    for each in values:
        counts[edge_of(each)] = counts.get(edge_of(each), 0) + 1
    bound = quantile(counts, q)
    true = float(np.quantile(values, q, method="inverted_cdf"))
    assert true <= bound
    below = EDGES[EDGES.index(bound) - 1] if bound != EDGES[0] else 0.0
    assert true >= below


def test_without_differences_there_is_no_quantile():
    assert quantile({}, 0.5) is None


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan"), float("inf")])
def test_what_is_no_difference_of_probabilities_is_refused(value):
    with pytest.raises(ValueError, match="difference"):
        edge_of(value)


# API, command, admin

PATH = f"/api/v1/models/{MODEL}/shadow"


@pytest.mark.urls("tests.monitoring.urls")
def test_the_api_answers_what_was_learnt(journal):
    register()
    write(journal, make_copy(), make_copy(**FLIPPED))
    body = client(Scope.READ).get(PATH, {"from": "2026-11-21", "to": "2026-11-22"}).json()
    assert body["window"] == {"from": "2026-11-21T00:00:00Z", "to": "2026-11-22T00:00:00Z"}
    (row,) = body["comparisons"]
    assert row["agreement"]["value"] == 0.5
    assert row["agreement"]["low"] < 0.5 < row["agreement"]["high"]
    assert row["recent_flips"][0]["shadowed"] == "NEGATIVE"
    assert client(Scope.PREDICT).get(PATH).status_code == 403


def test_an_empty_window_has_no_comparisons():
    register()
    assert client(Scope.READ).get(PATH).json()["comparisons"] == []


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"version": "0"}, 422),
        ({"by": "hour"}, 422),
        ({"from": "yesterday"}, 422),
        ({"from": "2026-11-22", "to": "2026-11-21"}, 422),
        ({"version": "9"}, 404),
    ],
)
def test_a_question_that_cannot_be_is_refused(query, status):
    register()
    assert client(Scope.READ).get(PATH, query).status_code == status


def run(*args: str) -> str:
    out = io.StringIO()
    call_command("shadow", *args, stdout=out)
    return out.getvalue()


def test_the_command_shows_it(journal):
    register()
    assert "no shadow was compared" in run(MODEL)
    write(journal, make_copy(), make_copy(**FLIPPED), make_note("off"))
    said = run(MODEL, "--from", "2026-11-21", "--to", "2026-11-22")
    assert "version 2 beside 1: 2 compared  INSUFFICIENT_DATA" in said
    assert "POSITIVE → NEGATIVE  1" in said
    assert "given up 1 times" in said
    shown = json.loads(run(MODEL, "--from", "2026-11-21", "--to", "2026-11-22", "--json"))
    assert shown["comparisons"][0]["n_compared"] == 2
    with pytest.raises(CommandError):
        run("acme/nobody")


def test_the_admin_lists_cells_and_flips(journal, admin_client):
    register()
    prediction = make_prediction()
    write(journal, make_copy(), make_copy(**FLIPPED, prediction_id=prediction.id))
    cells = admin_client.get(reverse("admin:monitoring_shadowcell_changelist"))
    assert cells.status_code == 200
    assert len(cells.context["cl"].result_list) == 2
    flips = admin_client.get(reverse("admin:monitoring_shadowflip_changelist"))
    assert str(prediction.id) in flips.content.decode()


def test_reading_costs_the_same_however_many_copies_there_were(journal, django_assert_num_queries):
    register()
    write(journal, *(make_copy() for _ in range(50)))
    with django_assert_num_queries(5):
        load_shadow(MODEL, WINDOW)
