"""What an evaluation says. Pure."""

from enum import StrEnum


class Verdict(StrEnum):
    """Too little data is a verdict of its own: neither good news nor bad."""

    OK = "OK"
    DRIFT = "DRIFT"
    DEGRADED = "DEGRADED"
    BREACH = "BREACH"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"

    @property
    def is_bad(self) -> bool:
        return self in (Verdict.DRIFT, Verdict.DEGRADED, Verdict.BREACH)
