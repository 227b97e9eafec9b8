"""Paths under /api/v1/, and the classic ones at the root."""

from django.urls import path

from monitoring.api.classic import ClassicFeedbackView
from monitoring.api.views.feedback import FeedbackView
from monitoring.api.views.predictions import PredictionsView, PredictionView
from monitoring.api.views.quality import QualityView
from monitoring.api.views.shadow import ShadowView

urlpatterns = [
    path("feedback", FeedbackView.as_view(), name="feedback"),
    path("predictions", PredictionsView.as_view(), name="predictions"),
    path("predictions/<uuid:prediction_id>", PredictionView.as_view(), name="prediction"),
    path("models/<str:namespace>/<str:name>/quality", QualityView.as_view(), name="quality"),
    path("models/<str:namespace>/<str:name>/shadow", ShadowView.as_view(), name="shadow"),
]

classic_urlpatterns = [
    path("feedback", ClassicFeedbackView.as_view(), name="classic-feedback"),
]
