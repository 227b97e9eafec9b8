"""The CPU's cores, shared out among the forward passes that run at the moment."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from inference.runtimes.background import is_background


class Cores:
    """A pass that runs alone gets all cores and answers sooner; several get their part each.

    Two single-threaded passes do more together than two threads do for one pass after the other,
    so under load every lane has a core of its own. OpenMP keeps a thread count for each calling
    thread: each pass sets its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_running = 0

    @contextmanager
    def share(self, n_cores: int) -> Iterator[int]:
        """Run the block with this pass's part of `n_cores`, which is yielded.

        A pass in the background gets one, and takes none from the others.
        """
        if is_background():
            torch.set_num_threads(1)
            yield 1
            return
        with self._lock:
            self._n_running += 1
            n_threads = max(1, n_cores // self._n_running)
        torch.set_num_threads(n_threads)
        try:
            yield n_threads
        finally:
            with self._lock:
                self._n_running -= 1


CORES = Cores()
"""This process's: all versions' passes run on the same cores."""
