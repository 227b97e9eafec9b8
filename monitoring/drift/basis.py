"""Fixed features of embeddings whose sums show a change of shape that means alone do not show.

Random Fourier features (Rahimi and Recht, 2007) at three bandwidths around the median distance,
whose mean is the kernel mean embedding that MMD compares, and the squares of the leading principal
components, whose mean is their variance. A basis is made once per version, so that sums over any
two stretches of its traffic can be compared.
"""

import hashlib
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from monitoring.drift.packing import pack, unpack
from monitoring.drift.sample import Floats32

N_COMPONENTS = 32
N_FREQUENCIES = 128
BANDWIDTHS = (0.5, 1.0, 2.0)
_MOST_ROWS = 2000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Basis:
    """`mean` [d]; `components` [p, d], scaled so that a square has mean 1; `frequencies`
    [f, d], each giving a cosine and a sine.
    """

    name: str
    mean: Floats32
    components: Floats32
    frequencies: Floats32

    @property
    def n_features(self) -> int:
        return 2 * len(self.frequencies) + len(self.components)

    def features(self, embeddings: Floats32) -> Floats32:
        """[n, d] → [n, n_features]: cosines, sines, squared components."""
        centred = embeddings - self.mean
        waves = centred @ self.frequencies.T
        squares = np.square(centred @ self.components.T)
        return np.concatenate([np.cos(waves), np.sin(waves), squares], axis=1)


def fit(embeddings: Floats32, *, rng: np.random.Generator) -> Basis:
    """The basis of a version from [n, d] of its embeddings, n >= 2."""
    rows = embeddings[:_MOST_ROWS].astype(np.float64)
    mean = rows.mean(axis=0)
    centred = rows - mean
    _, scales, directions = np.linalg.svd(centred, full_matrices=False)
    n_components = min(N_COMPONENTS, int((scales > 1e-6 * max(scales[0], 1e-12)).sum()))
    spread = scales[:n_components] / np.sqrt(len(rows))
    components = directions[:n_components] / spread[:, None]
    lengths = _median_distance(centred, rng) * np.resize(BANDWIDTHS, N_FREQUENCIES)
    frequencies = rng.standard_normal((N_FREQUENCIES, rows.shape[1])) / lengths[:, None]
    arrays = [np.ascontiguousarray(a, dtype=np.float32) for a in (mean, components, frequencies)]
    name = hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()[:16]
    return Basis(name=name, mean=arrays[0], components=arrays[1], frequencies=arrays[2])


def encode(basis: Basis) -> bytes:
    return pack(
        {
            "name": basis.name,
            "mean": basis.mean,
            "components": basis.components,
            "frequencies": basis.frequencies,
        }
    )


def decode(data: bytes) -> Basis:
    """Raises ValueError for bytes that `encode` did not write."""
    try:
        return Basis(**unpack(data))
    except (msgspec.MsgspecError, TypeError) as error:
        raise ValueError(f"not an encoded basis: {error}") from error


def _median_distance(rows: npt.NDArray[np.float64], rng: np.random.Generator) -> float:
    first, second = rng.integers(len(rows), size=(2, 1000))
    distances = np.linalg.norm(rows[first] - rows[second], axis=1)
    positive = distances[distances > 0]
    return float(np.median(positive)) if len(positive) else 1.0
