"""Paths under `/api/v1/`."""

from django.urls import path

from access.api.views import KeyListView, KeyView

urlpatterns = [
    path("keys", KeyListView.as_view(), name="keys"),
    path("keys/<str:prefix>", KeyView.as_view(), name="key"),
]
