"""The sums in a row's payload, read so that a damaged row costs its own five minutes only."""

import logging

from monitoring.drift import sums as drift_sums
from monitoring.drift.sums import Sums

logger = logging.getLogger(__name__)


def read_sums(payload: bytes | memoryview) -> Sums:
    """What `payload` holds; nothing, and a line in the log, where it cannot be read."""
    try:
        return drift_sums.decode(bytes(payload))
    except ValueError:
        logger.exception("sums that cannot be read are left out")
        return drift_sums.nothing()
