"""What working on any job takes: a lease that is kept, an end that is told."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from functools import partial

from access.database import in_thread
from access.errors import BellwetherError, DatabaseUnavailable
from inference.errors import InternalError, JobDiskFull, Unavailable
from inference.jobs import services
from inference.jobs.services import Claim

log = logging.getLogger(__name__)
Clock = Callable[[], datetime]


@asynccontextmanager
async def leased(claim: Claim, clock: Clock, *, rests: bool = False) -> AsyncIterator[None]:
    """Keep the lease within the block; tell the row how it ended.

    With `rests`, what somebody can mend (a full disk, a model that is away) pauses the job.
    """
    beating = asyncio.create_task(_keep_lease(claim, clock))
    try:
        yield
    except asyncio.CancelledError:
        try:
            await asyncio.shield(in_thread(lambda: _give_back(claim, clock)))
        except Exception:
            log.exception("job %s was not given back: its lease runs out", claim.id)
        raise
    except DatabaseUnavailable:
        # Nothing can be told: the lease runs out, and whoever comes then goes on.
        raise
    except BellwetherError as error:
        if rests and isinstance(error, Unavailable | JobDiskFull):
            log.warning("job %s rests: %s", claim.id, error.code)
            await in_thread(partial(services.rest, claim, error))
        else:
            await _fail(claim, error, clock)
    except Exception:
        log.exception("bug in job %s", claim.id)
        await _fail(claim, InternalError.during(claim.request_id), clock)
    finally:
        beating.cancel()


def _give_back(claim: Claim, clock: Clock) -> None:
    if not services.settle(claim.id, now=clock(), owner=claim.owner):
        services.release(claim)


async def _keep_lease(claim: Claim, clock: Clock) -> None:
    while True:
        await asyncio.sleep(services.LEASE_S / 3)
        with suppress(Unavailable, DatabaseUnavailable):
            await in_thread(lambda: services.renew(claim, now=clock()))


async def _fail(claim: Claim, error: BellwetherError, clock: Clock) -> None:
    log.warning("job %s failed: %s", claim.id, error.code)
    await in_thread(lambda: services.fail(claim, error, now=clock()))
