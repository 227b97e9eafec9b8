"""Small matrix products on one thread.

The writer's are so small that a second thread gains nothing, and beside busy forward passes waiting
for it costs fifty times the product.
"""

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController


def one_thread() -> AbstractContextManager[Any]:
    """Within it numpy's linear algebra takes no further threads, in the whole process."""
    limited: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limited


@cache
def _controller() -> ThreadpoolController:
    # Looking for the loaded libraries takes milliseconds; numpy's is there from the start.
    return ThreadpoolController()
