"""How loudly an alert speaks. Pure."""

from enum import StrEnum


class Severity(StrEnum):
    """Drift alone informs; drift with an estimated loss warns; labelled degradation is critical."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for info, 2 for critical."""
        return list(Severity).index(self)
