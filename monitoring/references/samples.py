"""Answers that were asked for, as a sample of a reference. Pure."""

from collections.abc import Sequence, Set
from dataclasses import replace

import numpy as np

from monitoring.drift.sample import Sample


def with_truth(sample: Sample, actual: Sequence[str | None]) -> Sample:
    """`sample` with what is true of each answer; names may be of classes that no answer has."""
    wide = spread(sample, {name for name in actual if name is not None})
    place = {name: i for i, name in enumerate(wide.labels)}
    known = [-1 if name is None else place[name] for name in actual]
    return replace(wide, actual=np.array(known, dtype=np.int64))


def without_seconds(sample: Sample) -> Sample:
    """`sample` without its durations: they were nobody's waiting time."""
    return replace(sample, seconds=np.full(len(sample), np.nan, dtype=np.float32))


def spread(sample: Sample, names: Set[str]) -> Sample:
    """The same answers over more classes, whose probabilities were 0."""
    labels = tuple(sorted(names | set(sample.labels)))
    if labels == sample.labels:
        return sample
    place = np.array([labels.index(name) for name in sample.labels], dtype=np.intp)
    probabilities = np.zeros((len(sample), len(labels)), dtype=np.float32)
    probabilities[:, place] = sample.probabilities
    known = sample.actual >= 0
    actual = np.full(len(sample), -1, dtype=np.int64)
    actual[known] = place[sample.actual[known]]
    return replace(
        sample,
        labels=labels,
        predicted=place[sample.predicted].astype(np.int64),
        probabilities=probabilities,
        actual=actual,
    )
