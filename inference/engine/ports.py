"""What the engine asks of the world around it."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

E_contra = TypeVar("E_contra", contravariant=True)
O_co = TypeVar("O_co", covariant=True)


class Encoded(Protocol):
    """One tokenised text; the engine looks at nothing but its length."""

    @property
    def n_tokens(self) -> int:
        """Tokens before padding, special tokens included; at least 1."""
        ...


class Runner(Protocol[E_contra, O_co]):
    """A loaded version.

    Identity separates batches: entries of two runners never share one, even if they are equal. The
    engine keeps no runner alive once its last entry is settled, so runners must be weakly referable
    and hash by identity (ordinary classes do; slotted or value-equal ones may not).
    """

    @property
    def is_far(self) -> bool:
        """Whether its answers come from another machine, so that its passes wait, not compute."""
        ...

    def forward(self, batch: Sequence[E_contra], /) -> Sequence[O_co]:
        """Answer every input, in order.

        Called on a lane's thread, by several at once where `n_lanes` > 1; blocks. An Exception
        makes the engine retry halves of the batch until the guilty input stands alone, except an
        InferenceError, which is every input's; what is only a BaseException kills the lane.
        """
        ...
