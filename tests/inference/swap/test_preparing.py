"""From REGISTERED to READY, and what stops a version on the way."""

import pytest

from access.errors import DatabaseUnavailable
from inference.swap.admission import Memory
from inference.swap.golden import make_golden
from inference.swap.ports import NullDesk
from inference.swap.preparing import Preparer, without_paths
from inference.swap.states import CannotServe, SwapState, Track
from registry.errors import VersionDamaged
from registry.golden import GoldenCase, GoldenSpec
from tests.inference.doubles import a_predictor, a_spec


class Desk(NullDesk):
    def __init__(self, golden: GoldenSpec | None = None, refusal: Exception | None = None) -> None:
        self.golden, self.refusal = golden, refusal
        self.kept: list[GoldenSpec] = []

    def stage(self, spec):
        if self.refusal is not None:
            raise self.refusal
        return {"verified": "sizes"}

    def load_golden(self, spec):
        return self.golden

    def keep_golden(self, spec, golden):
        self.kept.append(golden)


class Room:
    peak_copies = 2.0

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def weigh(self, spec):
        return 100_000_000

    def read(self):
        return Memory(self._limit, 50_000_000, "cgroup")


def prepare(desk=None, load=a_predictor, **options):
    track = Track(a_spec(2), lambda: 0.0)
    preparer = Preparer(load, desk=desk or Desk(), **options)
    return track, lambda: preparer.prepare(track, 1)


def refused(track, go) -> CannotServe:
    with pytest.raises(CannotServe) as caught:
        go()
    assert track.state is SwapState.FAILED
    assert track.reason == f"{caught.value.code}: {caught.value.message}"
    return caught.value


def test_a_ready_version_has_evidence_of_every_step():
    track, go = prepare(room=Room(1_000_000_000))
    assert go().spec.number == 2
    assert track.state is SwapState.READY
    assert {"verified", "estimated_bytes", "limit_bytes", "load_s", "measured_bytes"} <= set(
        track.evidence
    )
    assert {"smoke_s", "golden_worst", "warm_p95_s", "rss_bytes"} <= set(track.evidence)


def test_what_has_passed_once_is_only_loaded_when_it_comes_back():
    preparer = Preparer(a_predictor, desk=Desk())
    first, again = (Track(a_spec(2), lambda: 0.0) for _ in range(2))
    preparer.prepare(first, 1)
    preparer.prepare(again, 1)
    assert "golden_worst" in first.evidence
    assert again.state is SwapState.READY
    assert not {"smoke_s", "golden_worst", "warm_p95_s"} & set(again.evidence)
    assert {"verified", "load_s"} <= set(again.evidence)


def test_golden_inputs_that_are_missing_are_made_and_kept():
    desk = Desk()
    track, go = prepare(desk)
    go()
    assert len(desk.kept) == 1
    assert "while loading" in track.evidence["golden_made"]
    known = Desk(make_golden(a_predictor()))
    track, go = prepare(known)
    go()
    assert known.kept == []
    assert "golden_made" not in track.evidence


def test_a_version_with_other_answers_than_its_golden_ones_never_gets_ready():
    wrong = GoldenSpec(cases=(GoldenCase("a good film", "NEGATIVE"),), is_given=True)
    error = refused(*prepare(Desk(wrong)))
    assert (error.code, error.is_final) == ("golden_failed", True)


def test_a_damaged_version_is_never_loaded():
    loaded = []
    error = refused(*prepare(Desk(refusal=VersionDamaged("v2 is damaged")), load=loaded.append))
    assert (error.code, error.is_final, loaded) == ("version_damaged", True, [])


def test_a_database_that_is_away_says_nothing_about_the_version():
    error = refused(*prepare(Desk(refusal=DatabaseUnavailable("away"))))
    assert not error.is_final


def test_what_does_not_fit_is_not_loaded():
    loaded = []
    track, go = prepare(room=Room(300_000_000), load=loaded.append)
    error = refused(track, go)
    assert (error.code, loaded) == ("does_not_fit", [])
    assert track.evidence["used_bytes"] == 50_000_000


def test_a_load_that_fails_may_be_tried_again_and_names_no_path():
    def broken(spec):
        raise OSError("no such file: '/srv/secret/home/artifacts/views/abc/model.safetensors'")

    error = refused(*prepare(load=broken))
    assert (error.code, error.is_final) == ("load_failed", False)
    assert "secret" not in error.message
    assert "no such file" in error.message


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("open /a/b/c.json failed", "open (a path) failed"),
        (r"C:\models\x\y is gone", "(a path) is gone"),
        ("score 3/4 of team/model", "score 3/4 of team/model"),
        ("x" * 1000, "x" * 300),
    ],
)
def test_reasons_are_short_and_without_paths(text, shown):
    assert without_paths(text) == shown
