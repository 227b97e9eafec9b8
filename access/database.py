"""The ORM from the event loop: in threads of its own, never on the loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections

from access.errors import DatabaseUnavailable

T = TypeVar("T")
_threads = ThreadPoolExecutor(4, thread_name_prefix="orm")


async def in_thread(function: Callable[[], T]) -> T:
    """Run `function`, which uses the ORM, in a thread; raises DatabaseUnavailable when it cannot
    be reached.
    """
    return await asyncio.get_running_loop().run_in_executor(_threads, guarded, function)


def guarded(function: Callable[[], T]) -> T:
    """Run `function`, which uses the ORM, in this thread; raises DatabaseUnavailable as above."""
    close_old_connections()
    try:
        return function()
    except (OperationalError, InterfaceError) as error:
        raise unavailable(error) from error
    finally:
        close_old_connections()


def unavailable(error: DatabaseError | InterfaceError) -> DatabaseUnavailable:
    """Return the error that a caller sees when the database does not answer."""
    return DatabaseUnavailable(
        "The database does not answer just now. Predictions go on; try this again soon.",
        retry_after_s=5,
    )
