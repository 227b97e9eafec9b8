"""All detectors by name, and those that look at every window."""

from monitoring.drift.base import Detector
from monitoring.drift.chi_square import ChiSquare
from monitoring.drift.class_counts import ClassCounts
from monitoring.drift.classifier import Classifier
from monitoring.drift.energy import Energy
from monitoring.drift.hygiene.empties import Empties
from monitoring.drift.hygiene.languages import Languages
from monitoring.drift.hygiene.latency import Latency
from monitoring.drift.hygiene.lengths import Lengths
from monitoring.drift.hygiene.repeats import Repeats
from monitoring.drift.hygiene.scripts import Scripts
from monitoring.drift.hygiene.unknown_tokens import UnknownTokens
from monitoring.drift.jensen_shannon import JensenShannon
from monitoring.drift.kolmogorov_smirnov import KolmogorovSmirnov
from monitoring.drift.mean_embedding import MeanEmbedding
from monitoring.drift.mmd import MMD
from monitoring.drift.page_hinkley import PageHinkley
from monitoring.drift.population_stability import PopulationStability
from monitoring.drift.shape import Shape
from monitoring.drift.softmax import Softmax
from monitoring.drift.wasserstein import Wasserstein

DEFAULTS: tuple[Detector, ...] = (
    ClassCounts(),
    Softmax(),
    MeanEmbedding(),
    Shape(),
    Lengths(),
    UnknownTokens(),
    Scripts(),
    Languages(),
    Repeats(),
    Empties(),
    Latency(),
)
"""Judge by sums alone, in well under a millisecond together."""

ON_DEMAND: tuple[Detector, ...] = (
    KolmogorovSmirnov(),
    MMD(),
    Energy(),
    Classifier(),
    PopulationStability(),
    JensenShannon(),
    ChiSquare(),
    Wasserstein(),
    PageHinkley(),
)
"""Look at samples, take longer or speak less clearly: for questions asked by a person."""

_BY_NAME = {detector.name: detector for detector in (*DEFAULTS, *ON_DEMAND)}
NAMES = tuple(_BY_NAME)


def get(name: str) -> Detector:
    """The detector called `name`. Raises KeyError, which lists the names, for another."""
    try:
        return _BY_NAME[name]
    except KeyError:
        raise KeyError(f"no detector {name!r}; there are: {', '.join(sorted(_BY_NAME))}") from None
