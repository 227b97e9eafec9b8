"""Threads whose forward passes must not slow anybody down. Loads no model library.

They keep the kernel's ordinary priority: a thread that holds Python's lock and gets no processor
would make every other thread of the process wait for it.
"""

import threading

_local = threading.local()


def enter_background() -> None:
    """From now on this thread's forward passes take one core, and none from the others' share."""
    _local.is_background = True


def is_background() -> bool:
    """Whether the calling thread has entered the background."""
    return getattr(_local, "is_background", False)
