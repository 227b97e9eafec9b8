"""Everything that one run measured, and its tables for people. Pure."""

import math
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from benchmarks.drift.alarms import FLOORED, JOINT, FalseAlarms
from benchmarks.drift.comparing import Comparison, Raced, mean_delay, median_delay
from benchmarks.drift.labelled import LabelledOutcome
from benchmarks.drift.racing import Outcome
from benchmarks.drift.timing import Timing
from benchmarks.limits import Limit
from benchmarks.machine import Machine

NEVER = 10**6


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`options` are the run's; delays in `raced` are predictions, None where nothing was found.

    `compared` is by the schedule that the default monitors have, `compared_one_window` by one
    window alone.
    """

    benchmark: str
    machine: Machine
    options: dict[str, str]
    false_alarms: list[FalseAlarms]
    raced: list[Raced]
    compared: list[Comparison]
    compared_one_window: list[Comparison]
    labelled: list[LabelledOutcome]
    timings: list[Timing]
    limits: list[Limit]


def describe(report: Report) -> list[str]:
    """The run as lines."""
    return [
        *_false_alarms(report.false_alarms),
        *_own_rules(report.raced),
        *_delays(report.raced),
        *_compared("defaults, windows 200 and 1,000, beside the best peer", report.compared),
        *_compared("defaults, one window, beside the best peer", report.compared_one_window),
        *_labelled(report.labelled),
        *_timings(report.timings),
        "",
        *(limit.sentence() for limit in report.limits),
    ]


def _false_alarms(rows: Sequence[FalseAlarms]) -> list[str]:
    """One line a detector: the rate at each level with its interval."""
    lines = ["", "False alarms on quiet streams, per window, at nominal .05, .01 and .001"]
    grouped: dict[tuple[str, str, int, str], list[FalseAlarms]] = {}
    for row in sorted(rows, key=_order):
        grouped.setdefault((row.service, row.order, row.window, row.detector), []).append(row)
    for (service, order, window, detector), found in grouped.items():
        rates = "".join(
            f"  {row.rate.rate:.4f} [{row.rate.lower:.4f}, {row.rate.upper:.4f}]" for row in found
        )
        lines.append(f"  {service:<9}{order:<8}{window:>5}  {detector:<28}{rates}")
    return lines


def _order(row: FalseAlarms) -> tuple[object, ...]:
    is_part = row.detector not in (JOINT, FLOORED)
    return row.service, row.order, row.window, is_part, row.detector, -row.level


def _own_rules(raced: Iterable[Raced]) -> list[str]:
    lines = ["", "Alarms on quiet windows by each method's own rule (ours at .05)"]
    for each in raced:
        outcome = each.outcome
        if outcome.error:
            last = outcome.error.strip().splitlines()[-1]
            lines.append(f"  {each.service:<9}{outcome.method:<36} could not be run: {last}")
        elif outcome.n_alarms is not None:
            lines.append(
                f"  {each.service:<9}{outcome.method:<36}{outcome.window:>5}"
                f"  {outcome.n_alarms / outcome.n_quiet:>6.3f}"
                f"  ({outcome.n_alarms} of {outcome.n_quiet})"
                f"{1e3 * outcome.seconds:>10.2f} ms{outcome.memory_mb:>8.0f} MB"
            )
    return lines


def _delays(raced: Sequence[Raced]) -> list[str]:
    lines = ["", "Median delay, predictions, at equal measured false alarms"]
    for service in dict.fromkeys(each.service for each in raced):
        rows = [each.outcome for each in raced if each.service == service and each.outcome.delays]
        for shift in rows[0].delays if rows else ():
            lines += [f"  {service}: {shift}", *_one_shift(rows, shift)]
    return lines


def _one_shift(rows: Sequence[Outcome], shift: str) -> Iterator[str]:
    """Every method, the quickest first; methods that never alarm here are left out."""
    for row in sorted(rows, key=lambda each: mean_delay(each.delays[shift], NEVER)):
        delays = row.delays[shift]
        n_found = sum(delay is not None for delay in delays)
        if n_found:
            shown = _number(median_delay(delays))
            yield (
                f"    {row.method:<38}{row.window:>5}{shown:>8}   found {n_found} of {len(delays)}"
            )


def _compared(title: str, rows: Sequence[Comparison]) -> list[str]:
    lines = ["", f"{title}: median (mean, cut at the horizon)"]
    for row in rows:
        ratio = "neither" if math.isnan(row.ratio) else f"{row.ratio:.2f}"
        lines.append(
            f"  {row.service:<9}{row.shift:<34}{_number(row.ours):>7} ({row.ours_mean:.0f})"
            f"{_number(row.theirs):>8} ({row.theirs_mean:.0f})  {row.peer:<36}{ratio:>8}"
        )
    return lines


def _labelled(rows: Sequence[LabelledOutcome]) -> list[str]:
    lines = ["", "Rising errors: labels until found, at equal measured run lengths"]
    for row in rows:
        shown = ", ".join(f"{name}: {_number(delay)}" for name, delay in row.delays.items())
        matched = "" if row.is_matched else "  NOT MATCHED"
        lines.append(
            f"  {row.name:<42}{_number(row.run_length):>9} (setting {row.setting:g}; default "
            f"{row.default:g}: {_number(row.default_run_length)})  {shown}{matched}"
        )
    return lines


def _timings(rows: Sequence[Timing]) -> list[str]:
    lines = ["", "Time, one thread"]
    for row in rows:
        parts = ", ".join(f"{name} {us:.0f}" for name, us in row.detectors_us.items())
        lines += [
            f"  d {row.d}, K {row.n_labels}: all defaults {row.joint_us:.0f} us ({parts});",
            f"    {row.per_prediction_us:.1f} us a prediction, {row.fit_ms:.0f} ms to make a "
            f"reference of {row.n_reference}, {row.sums_bytes} bytes of sums",
        ]
    return lines


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"
