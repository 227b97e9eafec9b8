"""Rows are facts: predictions and feedback are added and pruned, roll-ups are summed."""

from monitoring.models.alerts import (
    Alert,
    AlertState,
    Channel,
    ChannelKind,
    Notification,
    NotificationState,
    Silence,
    Transition,
)
from monitoring.models.counts import Clock, ConfusionCell, FailureCount, PredictionCount
from monitoring.models.labelling import AuditItem, AuditPlan, AuditState, Opinion, Second
from monitoring.models.monitors import Evaluation, Lease, Monitor, MonitorKind, QualityStream
from monitoring.models.predictions import (
    Feedback,
    JournalPosition,
    Prediction,
    RouteKind,
    Source,
)
from monitoring.models.references import (
    Basis,
    Reference,
    ReferenceChunk,
    ReferenceOrigin,
    ReferenceState,
)
from monitoring.models.rollouts import Rollout, RolloutEvent, RolloutState
from monitoring.models.shadows import ShadowCell, ShadowFlip, ShadowTally
from monitoring.models.traffic import Exemplar, Span, TrafficProfile, TrafficSum

__all__ = [
    "Alert",
    "AlertState",
    "AuditItem",
    "AuditPlan",
    "AuditState",
    "Basis",
    "Channel",
    "ChannelKind",
    "Clock",
    "ConfusionCell",
    "Evaluation",
    "Exemplar",
    "FailureCount",
    "Feedback",
    "JournalPosition",
    "Lease",
    "Monitor",
    "MonitorKind",
    "Notification",
    "NotificationState",
    "Opinion",
    "Prediction",
    "PredictionCount",
    "QualityStream",
    "Reference",
    "ReferenceChunk",
    "ReferenceOrigin",
    "ReferenceState",
    "Rollout",
    "RolloutEvent",
    "RolloutState",
    "RouteKind",
    "Second",
    "ShadowCell",
    "ShadowFlip",
    "ShadowTally",
    "Silence",
    "Source",
    "Span",
    "TrafficProfile",
    "TrafficSum",
    "Transition",
]
