"""The part of a model card that the registry writes itself, between two marks (pure).

What somebody wrote in README.md stays as it is; what stood between the marks (a card that was
downloaded from here and pushed back) is written anew.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from registry.cards.lint import Metric
from registry.manifests import ManifestFile

BEGIN = "<!-- bellwether: generated, do not edit: begin -->"
END = "<!-- bellwether: generated: end -->"
MAX_ROWS = 200
MAX_CASES = 5
MAX_CELL_CHARS = 200

_GENERATED = re.compile(f"\\n*{re.escape(BEGIN)}.*?{re.escape(END)}\\n*", re.DOTALL)
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A titled table, or, without rows, a sentence."""

    title: str
    head: tuple[str, ...] = ()
    rows: tuple[tuple[object, ...], ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """What is known of a version; `parameters` counts values by type, `golden` its cases."""

    model: str
    number: int
    digest: str
    task: str
    pooling: str
    labels: tuple[str, ...]
    n_bytes: int
    created_at: datetime
    created_by: str
    source: str
    note: str
    commit: str | None
    parent: int | None
    base_models: tuple[str, ...]
    files: tuple[ManifestFile, ...]
    parameters: dict[str, int]
    metrics: tuple[Metric, ...]
    golden: tuple[dict[str, Any], ...]
    golden_tolerance: float | None
    signatures: tuple[tuple[str, str, str], ...]


def render_card(text: str, facts: CardFacts, more: Iterable[Section] = ()) -> str:
    """`text` (README.md, or empty) followed by what the registry knows, as Markdown.

    `more` are sections of others, such as quality measured in production.
    """
    own = strip_generated(text).rstrip()
    sections = [*_sections(facts), *more]
    lines = [BEGIN, "", f"## {escape(facts.model)} version {facts.number}", ""]
    for section in sections:
        lines += [*_render(section), ""]
    return "\n".join([*([own, ""] if own else []), *lines, END, ""])


def strip_generated(text: str) -> str:
    """`text` without what the registry wrote, and without marks of it."""
    return _GENERATED.sub("\n\n", text).replace(BEGIN, "").replace(END, "")


def escape(value: object) -> str:
    """`value` as one line of Markdown that shows it and means nothing more."""
    line = " ".join(str(value).split())
    cut = line if len(line) <= MAX_CELL_CHARS else f"{line[: MAX_CELL_CHARS - 1]}…"
    return _SPECIAL.sub(r"\\\1", cut)


def _sections(facts: CardFacts) -> list[Section]:
    return [
        _identity(facts),
        Section(
            title="Files",
            head=("path", "bytes", "sha256"),
            rows=tuple((f.path, f.size, f.sha256) for f in facts.files),
        ),
        _parameters(facts),
        Section(
            title="Labels",
            head=("logit", "label"),
            rows=tuple(enumerate(facts.labels)),
            text="The task has no classes.",
        ),
        Section(
            title="Metrics",
            head=("task", "data", "metric", "value"),
            rows=tuple((m.task, m.dataset, m.name, m.value) for m in facts.metrics),
            text="The card states none in model-index.",
        ),
        _golden(facts),
        Section(
            title="Signatures",
            head=("key", "fingerprint", "status"),
            rows=facts.signatures,
            text="None.",
        ),
    ]


def _identity(facts: CardFacts) -> Section:
    created = facts.created_at.astimezone(UTC).isoformat(timespec="seconds")
    rows = [
        ("digest of the manifest", facts.digest),
        ("task", facts.task),
        ("pooling of embeddings", facts.pooling),
        ("bytes", facts.n_bytes),
        ("sealed", f"{created} by {facts.created_by}"),
        ("source", facts.source),
        ("commit", facts.commit or "none"),
        ("grown from", f"version {facts.parent}" if facts.parent else "no earlier version"),
        ("base model", ", ".join(facts.base_models) or "not stated"),
    ]
    if facts.note:
        rows.append(("note", facts.note))
    return Section(title="Identity and lineage", head=("", ""), rows=tuple(rows))


def _parameters(facts: CardFacts) -> Section:
    total = sum(facts.parameters.values())
    rows = [(dtype, count) for dtype, count in facts.parameters.items()]
    return Section(
        title="Parameters",
        head=("type", "values"),
        rows=(*rows, ("in all", total)) if rows else (),
        text="No weights lie in the files.",
    )


def _golden(facts: CardFacts) -> Section:
    rows = tuple(
        (case.get("input", ""), case.get("label") or "", _score(case))
        for case in facts.golden[:MAX_CASES]
    )
    n_more = len(facts.golden) - len(rows)
    told = f"; {n_more} more" if n_more > 0 else ""
    title = "Golden inputs"
    if facts.golden_tolerance is not None:
        title += f" (scores may differ by {facts.golden_tolerance:g}{told})"
    return Section(
        title=title, head=("input", "label", "score"), rows=rows, text="None are stored."
    )


def _score(case: dict[str, Any]) -> str:
    scores = case.get("scores")
    score = scores.get(case.get("label")) if isinstance(scores, dict) else None
    return f"{score:.4f}" if isinstance(score, float | int) else ""


def _render(section: Section) -> list[str]:
    lines = [f"### {section.title}", ""]
    if not section.rows:
        return [*lines, section.text]
    lines += [_row(section.head), _row(["---"] * len(section.head), raw=True)]
    lines += [_row(row) for row in section.rows[:MAX_ROWS]]
    if len(section.rows) > MAX_ROWS:
        lines += ["", f"and {len(section.rows) - MAX_ROWS} more."]
    return lines


def _row(cells: Sequence[object], *, raw: bool = False) -> str:
    return f"| {' | '.join(str(cell) if raw else escape(cell) for cell in cells)} |"
