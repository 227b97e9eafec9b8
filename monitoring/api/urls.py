"""Paths under /api/v1/, and the classic ones at the root."""

from django.urls import path

from monitoring.api import views
from monitoring.api.classic import ClassicFeedbackView

urlpatterns = [
    path("feedback", views.FeedbackView.as_view(), name="feedback"),
    path("predictions", views.PredictionsView.as_view(), name="predictions"),
    path("predictions/<uuid:prediction_id>", views.PredictionView.as_view(), name="prediction"),
    path("models/<str:namespace>/<str:name>/quality", views.QualityView.as_view(), name="quality"),
    path("models/<str:namespace>/<str:name>/shadow", views.ShadowView.as_view(), name="shadow"),
]

classic_urlpatterns = [
    path("feedback", ClassicFeedbackView.as_view(), name="classic-feedback"),
]
