"""What the page that compares two versions shows: quality with its test, contents, cards."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from monitoring.errors import TooManyClasses
from monitoring.quality.comparing import ClassComparison, Comparison, Difference
from monitoring.quality.report import MIN_LABELLED, Verdict
from monitoring.reporting.comparisons import load_comparison
from monitoring.rollups import By, Scope, load_counts
from monitoring.shadows import Comparison as ShadowComparison
from monitoring.shadows import load_shadow
from monitoring.windows import Grain, Window, ceil
from registry.cards.front_matter import split
from registry.cards.markdown import to_html
from registry.contents import load_card, load_diff
from registry.diffs import Changes, VersionDiff
from registry.errors import RegistryError
from registry.listing import VersionFacts, load_version_facts

DAYS = {1: "24 hours", 7: "7 days", 30: "30 days", 90: "90 days"}
DEFAULT_DAYS = 7
SIGNIFICANT = 0.05
SMALLEST_TOLD = 0.001
NOTHING = "–"
PARTS = {
    "facts": "Facts",
    "config": "Configuration",
    "labels": "Labels",
    "tokenizer": "Tokenizer",
    "tokens": "Tokens",
    "metrics": "Metrics in the cards",
    "parameters": "Parameters",
    "tensors": "Tensors",
    "files": "Files",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A rate on both sides, and how sure the difference is; `p_value` None where none is made."""

    name: str
    difference: Difference
    p_value: float | None
    is_thin: bool = False

    @property
    def told(self) -> str:
        """The difference in words: better, worse, or no more than chance explains."""
        low, high = self.difference.low, self.difference.high
        if low is None or high is None:
            return "nothing to compare"
        if self.is_thin:
            return "too few labels"
        is_sure = low > 0 or high < 0 if self.p_value is None else self.p_value <= SIGNIFICANT
        if not is_sure:
            return "within chance"
        return "better" if (self.difference.value or 0) > 0 else "worse"

    @property
    def change(self) -> str:
        """New less base with its interval: +0.012 (-0.004 to +0.028)."""
        one = self.difference
        if one.value is None or one.low is None or one.high is None:
            return NOTHING
        return f"{one.value:+.3f} ({one.low:+.3f} to {one.high:+.3f})"

    @property
    def p_told(self) -> str:
        if self.p_value is None or self.difference.value is None:
            return NOTHING
        return "< 0.001" if self.p_value < SMALLEST_TOLD else f"{self.p_value:.3f}"

    @property
    def kind(self) -> str:
        """How the words look on a badge."""
        return {"better": "good", "worse": "bad", "too few labels": "warn"}.get(self.told, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Both versions by the labels of one window; `problem` says why there are no lines."""

    n_predicted: tuple[int, int]
    n_labelled: tuple[int, int]
    averages: tuple[Line, ...]
    classes: tuple[Line, ...]
    problem: str

    @property
    def is_thin(self) -> bool:
        return min(self.n_labelled) < MIN_LABELLED


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the files' contents and how it differs."""

    title: str
    changes: Changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Two versions side by side. Where their files cannot be read, `problem` says so.

    `cards` are HTML that is safe to show; `shadow` is what one showed as the other's shadow.
    """

    before: VersionFacts
    after: VersionFacts
    window: Window
    measured: Measured
    shadow: ShadowComparison | None
    diff: VersionDiff | None
    parts: tuple[Part, ...]
    cards: tuple[str, str]
    problem: str


def load_sides(model: str, before: int, after: int, *, days: int, now: datetime) -> Sides:
    """Compare two versions over the last `days`; raises ModelNotFound or VersionNotFound."""
    facts = load_version_facts(model, before), load_version_facts(model, after)
    end = ceil(now, Grain.MINUTE)
    window = Window(end - timedelta(days=days), end)
    diff, problem = _load_diff(model, before, after)
    return Sides(
        before=facts[0],
        after=facts[1],
        window=window,
        measured=load_measured(model, before, after, window),
        shadow=_load_shadow(model, before, after, window),
        diff=diff,
        parts=tuple(Part(PARTS[name], part) for name, part in diff.parts().items()) if diff else (),
        cards=(_load_card(model, before), _load_card(model, after)),
        problem=problem,
    )


def load_measured(model: str, before: int, after: int, window: Window) -> Measured:
    """What the labels of `window` say of both versions."""
    counts = load_counts(Scope(model=model, window=window, by=By.VERSION))
    n_predicted = counts.get(before, 0), counts.get(after, 0)
    new, base = (Scope(model=model, window=window, version=each) for each in (after, before))
    try:
        found = load_comparison(new, base).result
    except TooManyClasses as error:
        return Measured(
            n_predicted=n_predicted,
            n_labelled=(0, 0),
            averages=(),
            classes=(),
            problem=error.message,
        )
    is_thin = found.verdict is Verdict.INSUFFICIENT_DATA
    return Measured(
        n_predicted=n_predicted,
        n_labelled=(found.n_base, found.n_new),
        averages=_averages(found, is_thin),
        classes=tuple(map(_class, found.classes)),
        problem="",
    )


def _averages(found: Comparison, is_thin: bool) -> tuple[Line, ...]:
    return (
        Line("Accuracy", found.accuracy, found.p_value, is_thin),
        Line("F1, macro average", found.macro_f1, None, is_thin),
        Line("F1, weighted average", found.weighted_f1, None, is_thin),
    )


def _class(row: ClassComparison) -> Line:
    return Line(
        f"F1 of {row.label}",
        row.f1,
        row.p_adjusted,
        row.verdict is Verdict.INSUFFICIENT_DATA,
    )


def _load_diff(model: str, before: int, after: int) -> tuple[VersionDiff | None, str]:
    try:
        return load_diff(model, before, after), ""
    except RegistryError as error:
        # The numbers are there all the same: only the files cannot be read.
        return None, error.message


def _load_card(model: str, number: int) -> str:
    try:
        return to_html(split(load_card(model, number).text).body)
    except RegistryError as error:
        return to_html(error.message)


def _load_shadow(model: str, before: int, after: int, window: Window) -> ShadowComparison | None:
    pairs = {(before, after), (after, before)}
    for number in (after, before):
        for found in load_shadow(model, window, version=number).comparisons:
            if (found.primary_version, found.shadow_version) in pairs and found.n_compared:
                return found
    return None
