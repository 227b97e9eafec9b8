"""Paths under /api/v1/, and the classic ones at the root."""

from django.urls import path

from monitoring.api.classic import ClassicFeedbackView
from monitoring.api.views.alerts import (
    AcknowledgeView,
    AlertsView,
    AlertView,
    SilencesView,
    SilenceView,
)
from monitoring.api.views.channels import ChannelsView, ChannelTestView, ChannelView
from monitoring.api.views.drift import DriftView
from monitoring.api.views.embedding_map import EmbeddingMapView
from monitoring.api.views.exports import ExportView
from monitoring.api.views.feedback import FeedbackView
from monitoring.api.views.forgetting import ForgetView
from monitoring.api.views.labelling import AuditPlanView, AuditQueueView, AuditSkipView
from monitoring.api.views.monitors import (
    EvaluationsView,
    MonitorEvaluateView,
    MonitorsView,
    MonitorView,
)
from monitoring.api.views.opinions import (
    AgreementView,
    AuditLabelView,
    AuditLetGoView,
    AuditSettleView,
    AuditTakeView,
)
from monitoring.api.views.predictions import PredictionsView, PredictionView
from monitoring.api.views.quality import QualityComparisonView, QualityView
from monitoring.api.views.references import (
    ActivateReferenceView,
    CancelReferenceView,
    ReferencesView,
    ReferenceView,
)
from monitoring.api.views.rollouts import RolloutActView, RolloutsView, RolloutView
from monitoring.api.views.shadow import ShadowView
from monitoring.api.views.timelines import TimelineView

urlpatterns = [
    path("alerts", AlertsView.as_view(), name="alerts"),
    path("alerts/<uuid:alert_id>", AlertView.as_view(), name="alert"),
    path("alerts/<uuid:alert_id>/acknowledge", AcknowledgeView.as_view(), name="acknowledge"),
    path("silences", SilencesView.as_view(), name="silences"),
    path("silences/<int:silence_id>", SilenceView.as_view(), name="silence"),
    path("channels", ChannelsView.as_view(), name="channels"),
    path("channels/<int:channel_id>", ChannelView.as_view(), name="channel"),
    path("channels/<int:channel_id>/test", ChannelTestView.as_view(), name="channel-test"),
    path("exports/<str:table>.<str:ending>", ExportView.as_view(), name="export"),
    path("feedback", FeedbackView.as_view(), name="feedback"),
    path("audit", AuditQueueView.as_view(), name="audit-queue"),
    path("audit/take", AuditTakeView.as_view(), name="audit-take"),
    path("audit/let-go", AuditLetGoView.as_view(), name="audit-let-go"),
    path("audit/<uuid:prediction_id>/label", AuditLabelView.as_view(), name="audit-label"),
    path("audit/<uuid:prediction_id>/settle", AuditSettleView.as_view(), name="audit-settle"),
    path("models/<str:namespace>/<str:name>/agreement", AgreementView.as_view(), name="agreement"),
    path("audit/<uuid:prediction_id>/skip", AuditSkipView.as_view(), name="audit-skip"),
    path(
        "models/<str:namespace>/<str:name>/audit-plan", AuditPlanView.as_view(), name="audit-plan"
    ),
    path("forget", ForgetView.as_view(), name="forget"),
    path("monitors", MonitorsView.as_view(), name="monitors"),
    path("monitors/<int:monitor_id>", MonitorView.as_view(), name="monitor"),
    path(
        "monitors/<int:monitor_id>/evaluate",
        MonitorEvaluateView.as_view(),
        name="monitor-evaluate",
    ),
    path("evaluations", EvaluationsView.as_view(), name="evaluations"),
    path("models/<str:namespace>/<str:name>/drift", DriftView.as_view(), name="drift"),
    path("models/<str:namespace>/<str:name>/map", EmbeddingMapView.as_view(), name="map"),
    path("predictions", PredictionsView.as_view(), name="predictions"),
    path("predictions/<uuid:prediction_id>", PredictionView.as_view(), name="prediction"),
    path("models/<str:namespace>/<str:name>/quality", QualityView.as_view(), name="quality"),
    path(
        "models/<str:namespace>/<str:name>/quality/compare",
        QualityComparisonView.as_view(),
        name="quality-compare",
    ),
    path(
        "models/<str:namespace>/<str:name>/references",
        ReferencesView.as_view(),
        name="references",
    ),
    path(
        "models/<str:namespace>/<str:name>/references/<int:reference_id>",
        ReferenceView.as_view(),
        name="reference",
    ),
    path(
        "models/<str:namespace>/<str:name>/references/<int:reference_id>/activate",
        ActivateReferenceView.as_view(),
        name="reference-activate",
    ),
    path(
        "models/<str:namespace>/<str:name>/references/<int:reference_id>/cancel",
        CancelReferenceView.as_view(),
        name="reference-cancel",
    ),
    path("models/<str:namespace>/<str:name>/shadow", ShadowView.as_view(), name="shadow"),
    path("models/<str:namespace>/<str:name>/timeline", TimelineView.as_view(), name="timeline"),
    path("models/<str:namespace>/<str:name>/rollouts", RolloutsView.as_view(), name="rollouts"),
    path(
        "models/<str:namespace>/<str:name>/rollouts/<uuid:rollout_id>",
        RolloutView.as_view(),
        name="rollout",
    ),
    path(
        "models/<str:namespace>/<str:name>/rollouts/<uuid:rollout_id>/<str:act>",
        RolloutActView.as_view(),
        name="rollout-act",
    ),
]

classic_urlpatterns = [
    path("feedback", ClassicFeedbackView.as_view(), name="classic-feedback"),
]
