"""Threads whose forward passes must not slow anybody down. Loads no model library."""

import os
import sys
import threading
from contextlib import suppress

# The kernel gives such a thread about a tenth of a core that another thread wants too.
NICENESS = 0
_local = threading.local()


def enter_background() -> None:
    """From now on this thread computes behind all others, one core at most.

    What it starts (OpenMP's helpers) inherits that. Only Linux tells threads apart; elsewhere only
    the share of cores is kept small.
    """
    _local.is_background = True
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def is_background() -> bool:
    """Whether the calling thread has entered the background."""
    return getattr(_local, "is_background", False)
