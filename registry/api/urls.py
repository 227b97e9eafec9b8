"""Paths of the registry under /api/v1."""

from django.urls import path

from registry.api import converters
from registry.api.views import catalogue, refs, routes

__all__ = ["converters", "urlpatterns"]

_MODEL = "models/<namespace:namespace>/<modelname:name>"
_VERSION = f"{_MODEL}/versions/<version:number>"

urlpatterns = [
    path("models", catalogue.ModelsView.as_view(), name="registry-models"),
    path(_MODEL, catalogue.ModelView.as_view(), name="registry-model"),
    path(f"{_MODEL}/versions", catalogue.VersionsView.as_view(), name="registry-versions"),
    path(_VERSION, catalogue.VersionView.as_view(), name="registry-version"),
    path(f"{_VERSION}/promote", catalogue.PromoteView.as_view(), name="registry-promote"),
    path(f"{_VERSION}/retire", catalogue.RetireView.as_view(), name="registry-retire"),
    path(f"{_VERSION}/verify", catalogue.VerifyView.as_view(), name="registry-verify"),
    path(f"{_MODEL}/rollback", catalogue.RollbackView.as_view(), name="registry-rollback"),
    path(f"{_MODEL}/routes", routes.RoutesView.as_view(), name="registry-routes"),
    path(f"{_MODEL}/refs", refs.RefsView.as_view(), name="registry-refs"),
    path(f"{_MODEL}/seal", refs.SealView.as_view(), name="registry-seal"),
    path(f"{_MODEL}/aliases/<str:alias>", refs.AliasView.as_view(), name="registry-alias"),
    path(f"{_MODEL}/events", catalogue.EventsView.as_view(), name="registry-events"),
]
