"""What a loaded version must show before it may serve: sound outputs, and its golden answers.

The answers are computed as traffic would have them: tokenised, padded into batches, decoded.
Nothing here knows of versions in the registry or of other processes.
"""

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from inference.predictor import Predictor
from inference.probing import answer, prepare
from inference.swap.inputs import EDGES, GOLDEN_INPUTS
from inference.swap.states import CannotServe
from inference.tasks.ports import Decoded, Forwarded
from registry.golden import GoldenCase, GoldenSpec, compare

# What 8 bits of mantissa make of a probability, on top of the golden tolerance.
REDUCED_TOLERANCE = 0.02
BATCH = 8
N_SCORES = 16
# A batch-mate this long makes everything else in the batch mostly padding.
PADDING = "and " * 48


def check_smoke(predictor: Predictor) -> dict[str, Any]:
    """Answer inputs at the edge; return what was seen.

    Raises CannotServe (`smoke_failed`) for an error, a number that is not finite, or another number
    of logits than labels.
    """
    started, n_tokens = time.perf_counter(), {}
    for name, text in EDGES.items():
        (prepared,) = prepare(predictor, [text])
        if prepared.n_tokens == 0:
            # Nothing to run; callers are refused such a text before it gets here.
            continue
        n_tokens[name] = prepared.n_tokens
        try:
            outputs = predictor.forward(prepared.pieces)
            for forwarded in outputs:
                _check_sound(predictor, forwarded)
            predictor.task.decode(prepared, outputs, predictor.task.defaults)
        except Exception as error:
            raise CannotServe("smoke_failed", f"input {name!r}: {error}") from error
    return {"smoke_s": _since(started), "smoke_tokens": n_tokens}


def make_golden(predictor: Predictor) -> GoldenSpec:
    """Return what `predictor` answers to the fixed inputs, each on its own."""
    cases = []
    for text in GOLDEN_INPUTS:
        decoded = _answers(predictor, [text])[0]
        cases.append(GoldenCase(text, decoded.label, _likeliest(decoded)))
    return GoldenSpec(cases=tuple(cases))


def check_golden(predictor: Predictor, golden: GoldenSpec) -> dict[str, Any]:
    """Answer the golden inputs alone, in batches, and beside a long text; return what was seen.

    Raises CannotServe (`golden_failed`) naming the first answers that differ.
    """
    started = time.perf_counter()
    tolerance = golden.tolerance if _is_exact(predictor) else golden.tolerance + REDUCED_TOLERANCE
    texts = [case.input for case in golden.cases]
    ways = {
        "alone": [_answers(predictor, [text])[0] for text in texts],
        "batched": _in_batches(predictor, texts),
        "padded": [_answers(predictor, [text, PADDING])[0] for text in texts[:BATCH]],
    }
    wrong = [
        f"{way}, case {at}: {problem}"
        for way, answers in ways.items()
        for at, (case, answer) in enumerate(zip(golden.cases, answers, strict=False))
        if (problem := compare(case, answer.label, answer.scores, tolerance))
    ]
    if wrong:
        more = f", and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise CannotServe("golden_failed", "; ".join(wrong[:3]) + more)
    _check_alike(ways["alone"], ways["batched"], tolerance)
    _check_alike(ways["alone"], ways["padded"], tolerance)
    return {
        "golden_cases": len(texts),
        "golden_given": golden.is_given,
        "golden_tolerance": tolerance,
        "golden_worst": _worst(golden, ways["batched"]),
        "golden_s": _since(started),
    }


def _check_alike(ones: Sequence[Decoded], others: Sequence[Decoded], tolerance: float) -> None:
    """Given cases may name no scores, so the ways are compared with each other, too."""
    for at, (one, other) in enumerate(zip(ones, others, strict=False)):
        case = GoldenCase("", one.label, _likeliest(one))
        if problem := compare(case, other.label, other.scores, tolerance):
            raise CannotServe("golden_failed", f"case {at} differs by its batch: {problem}")


def _likeliest(decoded: Decoded) -> dict[str, float]:
    # Of very many labels not all are recorded, and the last of those may change places.
    return dict(sorted(decoded.scores.items(), key=lambda item: -item[1])[:N_SCORES])


def _in_batches(predictor: Predictor, texts: Sequence[str]) -> list[Decoded]:
    found: list[Decoded] = []
    for at in range(0, len(texts), BATCH):
        found += _answers(predictor, texts[at : at + BATCH])
    return found


def _answers(predictor: Predictor, texts: Sequence[str]) -> list[Decoded]:
    try:
        return answer(predictor, texts)
    except Exception as error:
        raise CannotServe("golden_failed", f"no answer: {error}") from error


def _check_sound(predictor: Predictor, forwarded: Forwarded) -> None:
    n_labels = len(predictor.spec.labels)
    if n_labels and forwarded.logits.shape[-1] != n_labels:
        raise ValueError(f"{forwarded.logits.shape[-1]} logits for {n_labels} labels")
    if not (np.isfinite(forwarded.logits).all() and np.isfinite(forwarded.embedding).all()):
        raise ValueError("an output is not a finite number")


def _is_exact(predictor: Predictor) -> bool:
    return not predictor.runtime.device.endswith(("float16", "bfloat16"))


def _worst(golden: GoldenSpec, answers: Sequence[Decoded]) -> float:
    """The largest difference of a score from its golden one."""
    found = [
        abs(answer.scores.get(name, math.inf) - wanted)
        for case, answer in zip(golden.cases, answers, strict=True)
        for name, wanted in case.scores.items()
    ]
    return round(max(found, default=0.0), 8)


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 4)
