"""What goes to a Hugging Face inference endpoint and comes back, for text classification (pure).

A request is `{"inputs": [...], "parameters": {"top_k": null}}`; its answer a list with one list of
`{"label", "score"}` for every input. What an endpoint answers is checked, never trusted.
"""

import math
from collections.abc import Sequence
from typing import Any

import msgspec

# What an answer may take beside its labels, and a label beside its characters (escaped).
ANSWER_BYTES = 64 * 1024
LABEL_BYTES = 96
MAX_ESCAPE = 6
MAX_WAIT_S = 3_600.0

PROBES = ("A fine day.", "A wasted evening.")
"""Two, so that an endpoint that takes a list of texts for one text and its pair shows it."""


class InvalidAnswer(Exception):
    """The endpoint answered something else than it must; the message holds none of its words."""


class LabelScore(msgspec.Struct, frozen=True):
    label: str
    score: float


class _Loading(msgspec.Struct, frozen=True):
    estimated_time: float | None = None


_rows = msgspec.json.Decoder(list[list[LabelScore]])
_row = msgspec.json.Decoder(list[LabelScore])
_loading = msgspec.json.Decoder(_Loading)


def build_request(inputs: Sequence[Any]) -> bytes:
    """The request that asks for every label's score of every input."""
    return msgspec.json.encode({"inputs": list(inputs), "parameters": {"top_k": None}})


def max_answer_bytes(n_inputs: int, labels: Sequence[str]) -> int:
    """Bytes that a good answer never exceeds."""
    row = sum(MAX_ESCAPE * len(label.encode()) + LABEL_BYTES for label in labels)
    return ANSWER_BYTES + n_inputs * row


def parse_scores(data: bytes, n_inputs: int, labels: Sequence[str]) -> list[list[float]]:
    """Every input's scores in the order of `labels`.

    Raises InvalidAnswer unless there is one row for each input and in it one finite score for each
    label.
    """
    wanted = set(labels)
    return [_ordered(row, wanted, labels) for row in parse_rows(data, n_inputs)]


def parse_rows(data: bytes, n_inputs: int) -> list[list[LabelScore]]:
    """One row for each input, as answered; a bare row is taken where one input was sent."""
    rows = _decode(data, n_inputs)
    if len(rows) != n_inputs:
        raise InvalidAnswer(f"it gave {len(rows)} rows for {n_inputs} texts")
    for row in rows:
        if not row:
            raise InvalidAnswer("it gave a text no label")
        if not all(math.isfinite(each.score) for each in row):
            raise InvalidAnswer("it gave a score that is not a finite number")
    return rows


def learn_labels(data: bytes) -> tuple[str, ...]:
    """The labels that answers to PROBES name, in the first one's order; raises InvalidAnswer."""
    first, *others = parse_rows(data, len(PROBES))
    labels = [each.label for each in first]
    if any({each.label for each in row} != set(labels) for row in others):
        raise InvalidAnswer("it gives different texts different labels: name them with --labels")
    return tuple(labels)


def parse_wait_s(data: bytes, retry_after: str | None) -> float | None:
    """Seconds after which an endpoint that is loading or busy wants to be asked again, if it says.

    `Retry-After` (seconds) counts more than the body's `estimated_time`.
    """
    if retry_after is not None and retry_after.isascii() and retry_after.isdigit():
        return min(float(retry_after), MAX_WAIT_S)
    try:
        estimated = _loading.decode(data).estimated_time
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    is_usable = estimated is not None and math.isfinite(estimated) and estimated >= 0
    return min(estimated, MAX_WAIT_S) if estimated is not None and is_usable else None


def _decode(data: bytes, n_inputs: int) -> list[list[LabelScore]]:
    try:
        return _rows.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        if n_inputs == 1:
            try:
                return [_row.decode(data)]
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                pass
        raise InvalidAnswer(
            "it did not answer JSON of the form [[{label, score}, …], …]"
        ) from error


def _ordered(row: list[LabelScore], wanted: set[str], labels: Sequence[str]) -> list[float]:
    found = {each.label: each.score for each in row}
    if len(row) != len(found):
        raise InvalidAnswer("it named a label twice for one text")
    if found.keys() != wanted:
        n_odd = len(found.keys() ^ wanted)
        raise InvalidAnswer(f"its labels are not the version's: {n_odd} differ")
    return [found[label] for label in labels]
