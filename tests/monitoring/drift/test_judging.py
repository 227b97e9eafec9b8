import math

import pytest

from monitoring.drift.base import Family, Finding
from monitoring.drift.judging import judge, judge_segments
from monitoring.verdicts import Verdict


def finding(
    family: Family = Family.INPUTS,
    p: float | None = 0.5,
    effect: float | None = 0.7,
    name: str = "one",
) -> Finding:
    return Finding(
        detector=name,
        family=family,
        n_reference=1000,
        n_window=200,
        is_sufficient=p is not None,
        p_value=p,
        effect=effect,
    )


def test_improbable_and_large_is_drift() -> None:
    judged = judge([finding(p=1e-6)], alpha=0.01)
    assert judged.verdict is Verdict.DRIFT
    assert judged.families[Family.INPUTS].verdict is Verdict.DRIFT


def test_improbable_but_small_is_ok() -> None:
    judged = judge([finding(p=1e-12, effect=0.53)], alpha=0.01)
    assert judged.verdict is Verdict.OK


def test_an_effect_that_is_not_known_is_not_large() -> None:
    assert judge([finding(p=1e-12, effect=None)], alpha=0.01).verdict is Verdict.OK


def test_large_but_probable_is_ok() -> None:
    assert judge([finding(p=0.02, effect=0.9)], alpha=0.01).verdict is Verdict.OK


def test_all_insufficient_is_insufficient_and_one_sufficient_is_enough() -> None:
    silent = finding(p=None)
    assert judge([silent, silent], alpha=0.01).verdict is Verdict.INSUFFICIENT_DATA
    assert judge([silent, finding()], alpha=0.01).verdict is Verdict.OK
    assert judge([], alpha=0.01).verdict is Verdict.INSUFFICIENT_DATA


def test_a_family_without_data_does_not_dilute_the_others() -> None:
    findings = [finding(p=0.009), finding(Family.SHAPE, p=None)]
    judged = judge(findings, alpha=0.01)
    assert judged.families[Family.INPUTS].alpha == 0.01
    assert judged.families[Family.INPUTS].verdict is Verdict.DRIFT
    assert judged.families[Family.SHAPE].verdict is Verdict.INSUFFICIENT_DATA


def test_detectors_of_a_family_share_its_level() -> None:
    findings = [finding(p=0.006), finding(p=0.9, name="other")]
    assert judge(findings, alpha=0.01).verdict is Verdict.OK
    assert judge(findings, alpha=0.013).verdict is Verdict.DRIFT


def test_families_are_stepped_through_by_holm() -> None:
    findings = [finding(p=0.004), finding(Family.SHAPE, p=0.009)]
    judged = judge(findings, alpha=0.01)
    assert judged.families[Family.INPUTS].alpha == 0.005
    assert judged.families[Family.SHAPE].alpha == 0.01
    assert all(family.verdict is Verdict.DRIFT for family in judged.families.values())


def test_holm_stops_at_the_first_family_that_is_probable() -> None:
    findings = [finding(p=0.006), finding(Family.SHAPE, p=0.009)]
    judged = judge(findings, alpha=0.01)
    assert judged.verdict is Verdict.OK


def test_the_worst_finding_is_the_one_that_decided() -> None:
    small = finding(p=1e-9, effect=0.51, name="small")
    large = finding(p=1e-6, effect=0.8, name="large")
    worst = judge([small, large], alpha=0.01).families[Family.INPUTS].worst
    assert worst is large


def test_the_overall_p_value_is_corrected_for_families() -> None:
    assert judge([finding(p=0.01), finding(Family.SHAPE)], alpha=0.01).p_value == 0.02
    assert judge([finding(p=None)], alpha=0.01).p_value is None


def test_segments_share_the_level() -> None:
    segments = {"a": [finding(p=0.004)], "b": [finding(p=0.8)], "c": [finding(p=None)]}
    judged = judge_segments(segments, alpha=0.01)
    assert judged["a"].verdict is Verdict.DRIFT
    assert judged["a"].alpha == 0.005
    assert judged["b"].verdict is Verdict.OK
    assert judged["c"].verdict is Verdict.INSUFFICIENT_DATA


def test_a_segment_is_judged_more_strictly_among_many() -> None:
    segments = {str(i): [finding(p=0.5)] for i in range(20)} | {"x": [finding(p=0.004)]}
    assert judge_segments(segments, alpha=0.01)["x"].verdict is Verdict.OK


def test_a_level_of_nothing_finds_nothing() -> None:
    assert judge([finding(p=1e-300)], alpha=0.0).verdict is Verdict.OK


@pytest.mark.parametrize("alpha", [-0.1, 1.1, math.nan])
def test_a_level_that_is_none_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        judge([finding()], alpha=alpha)
