"""Paths of the registry under /api/v1."""

from django.urls import path

from registry.api import converters, views

__all__ = ["converters", "urlpatterns"]

_MODEL = "models/<namespace:namespace>/<modelname:name>"
_VERSION = f"{_MODEL}/versions/<version:number>"

urlpatterns = [
    path("models", views.ModelsView.as_view(), name="registry-models"),
    path(_MODEL, views.ModelView.as_view(), name="registry-model"),
    path(f"{_MODEL}/versions", views.VersionsView.as_view(), name="registry-versions"),
    path(_VERSION, views.VersionView.as_view(), name="registry-version"),
    path(f"{_VERSION}/promote", views.PromoteView.as_view(), name="registry-promote"),
    path(f"{_VERSION}/retire", views.RetireView.as_view(), name="registry-retire"),
    path(f"{_VERSION}/verify", views.VerifyView.as_view(), name="registry-verify"),
    path(f"{_MODEL}/rollback", views.RollbackView.as_view(), name="registry-rollback"),
    path(f"{_MODEL}/routes", views.RoutesView.as_view(), name="registry-routes"),
    path(f"{_MODEL}/events", views.EventsView.as_view(), name="registry-events"),
]
