"""Paths of the dashboard, under `/admin/`."""

from django.urls import path

from monitoring.dashboard.views import (
    alerts,
    bringing,
    channels,
    comparing,
    drift,
    feedback,
    home,
    labelling,
    model,
    playground,
    predictions,
    routing,
    settings,
    versions,
)

app_name = "dashboard"

_MODEL = "models/<str:namespace>/<str:name>/"

urlpatterns = [
    path("", home.home, name="home"),
    path("health/", home.health, name="health"),
    path(_MODEL, model.model, name="model"),
    path(f"{_MODEL}versions/", versions.versions, name="versions"),
    path(f"{_MODEL}versions/compare/", comparing.compare, name="compare"),
    path(f"{_MODEL}versions/seal/", bringing.seal, name="seal"),
    path(f"{_MODEL}versions/endpoint/", bringing.endpoint, name="endpoint"),
    path(f"{_MODEL}versions/<int:number>/<str:act>/", versions.act, name="version-act"),
    path(f"{_MODEL}roll-back/", versions.roll_back, name="roll-back"),
    path(f"{_MODEL}deployment/", versions.deployment, name="deployment"),
    path(f"{_MODEL}routes/", routing.edit_routes, name="routes"),
    path(f"{_MODEL}delete/", bringing.delete_model, name="model-delete"),
    path("models/new/", bringing.make_model, name="model-make"),
    path(f"{_MODEL}drift/", drift.drift, name="drift"),
    path(f"{_MODEL}labelling/", labelling.label, name="labelling-model"),
    path("labelling/", labelling.queues, name="labelling"),
    path("feedback/upload/", feedback.upload, name="feedback-upload"),
    path("predictions/", predictions.predictions, name="predictions"),
    path("predictions/<uuid:prediction>/", predictions.prediction, name="prediction"),
    path("predictions/<uuid:prediction>/forget/", predictions.forget, name="prediction-forget"),
    path("alerts/", alerts.alerts, name="alerts"),
    path("alerts/silences/new/", alerts.make_silence, name="silence-make"),
    path("alerts/silences/<int:silence>/end/", alerts.end_silence, name="silence-end"),
    path("alerts/<uuid:alert>/", alerts.alert, name="alert"),
    path("alerts/<uuid:alert>/<str:act>/", alerts.act, name="alert-act"),
    path("channels/", channels.channels, name="channels"),
    path("channels/new/", channels.make, name="channel-make"),
    path("channels/<int:channel>/", channels.change, name="channel"),
    path("channels/<int:channel>/test/", channels.test, name="channel-test"),
    path("channels/<int:channel>/switch/", channels.switch, name="channel-switch"),
    path("channels/<int:channel>/delete/", channels.delete, name="channel-delete"),
    path("playground/", playground.playground, name="playground"),
    path("settings/", settings.settings, name="settings"),
]
