"""What can go wrong when predictions are judged.

MonitoringError
├── PredictionNotFound       no kept prediction has this id
├── InvalidFeedback          feedback of the wrong shape; `details.field` names the place
├── AuditItemNotFound        no open item of the labelling queue has this prediction's id
├── InvalidAuditPlan         how many labels are asked for makes no sense; `details.field`
├── UnknownLabel             a label that the prediction's version does not have
├── InvalidWindow            a time, a window or a grouping that makes no sense
├── InvalidFilter            a query parameter that does not exist or does not parse
├── TooManyClasses           a confusion matrix too large to judge or to send
├── ReferenceNotFound        no reference of the model has this id
├── InvalidReference         what cannot be made a reference of; `details.field` names the place
├── ReferenceGaveUp          a reference during which the server stopped too often
├── ReferenceConflict        not in the state it, or another one, is in
├── InvalidMonitor           a monitor of the wrong shape; `details.field` names the place
├── MonitorNotFound          there is no such monitor
├── MonitorExists            the model has a monitor of this name
├── AlertNotFound            no alert has this id
├── AlertIsOver              what has ended, or never fired, cannot be acknowledged
├── InvalidSilence           a silence of the wrong shape; `details.field` names the place
├── SilenceNotFound          there is no such silence
├── InvalidChannel           a channel of the wrong shape; `details.field` names the place
├── ChannelNotFound          there is no such channel
├── ChannelExists            the name of the channel is taken
├── NotifyUnavailable        a channel needs packages that are not installed
└── DeliveryFailed           a channel could not bring its notification
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


class ReferenceNotFound(MonitoringError):
    code = "reference_not_found"


class InvalidReference(MonitoringError):
    code = "invalid_reference"


class ReferenceGaveUp(MonitoringError):
    code = "reference_gave_up"


class ReferenceConflict(MonitoringError):
    code = "reference_conflict"


class ExportUnavailable(MonitoringError):
    code = "export_unavailable"


class InvalidRollout(MonitoringError):
    code = "invalid_rollout"


class RolloutNotFound(MonitoringError):
    code = "rollout_not_found"


class RolloutConflict(MonitoringError):
    code = "rollout_conflict"


class InvalidMonitor(MonitoringError):
    code = "invalid_monitor"


class MonitorNotFound(MonitoringError):
    code = "monitor_not_found"


class MonitorExists(MonitoringError):
    code = "monitor_exists"


class AuditItemNotFound(MonitoringError):
    code = "audit_item_not_found"


class InvalidAuditPlan(MonitoringError):
    code = "invalid_audit_plan"


class AlertNotFound(MonitoringError):
    code = "alert_not_found"


class AlertIsOver(MonitoringError):
    code = "alert_is_over"


class InvalidSilence(MonitoringError):
    code = "invalid_silence"


class SilenceNotFound(MonitoringError):
    code = "silence_not_found"


class InvalidChannel(MonitoringError):
    code = "invalid_channel"


class ChannelNotFound(MonitoringError):
    code = "channel_not_found"


class ChannelExists(MonitoringError):
    code = "channel_exists"


class NotifyUnavailable(MonitoringError):
    code = "notify_unavailable"


class DeliveryFailed(MonitoringError):
    """`is_permanent` where trying again cannot help: the channel itself is wrong."""

    code = "delivery_failed"

    def __init__(self, message: str, *, is_permanent: bool = False) -> None:
        super().__init__(message)
        self.is_permanent = is_permanent
