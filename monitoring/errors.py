"""What can go wrong when predictions are judged.

MonitoringError
├── PredictionNotFound       no kept prediction has this id
├── InvalidFeedback          feedback of the wrong shape; `details.field` names the place
├── UnknownLabel             a label that the prediction's version does not have
├── InvalidWindow            a time, a window or a grouping that makes no sense
├── InvalidFilter            a query parameter that does not exist or does not parse
└── TooManyClasses           a confusion matrix too large to judge or to send
"""

from access.errors import BellwetherError


class MonitoringError(BellwetherError):
    """Any expected failure of the monitor."""


class PredictionNotFound(MonitoringError):
    code = "prediction_not_found"


class InvalidFeedback(MonitoringError):
    code = "invalid_feedback"


class UnknownLabel(MonitoringError):
    code = "unknown_label"


class InvalidWindow(MonitoringError):
    code = "invalid_window"


class InvalidFilter(MonitoringError):
    code = "invalid_filter"


class TooManyClasses(MonitoringError):
    code = "too_many_classes"
