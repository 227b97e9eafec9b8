"""Paths under `/api/v1/`."""

from django.urls import path

from access.api.views import KeyListView, KeyView, TicketView

urlpatterns = [
    path("keys", KeyListView.as_view(), name="keys"),
    path("session-ticket", TicketView.as_view(), name="session-ticket"),
    path("keys/<str:prefix>", KeyView.as_view(), name="key"),
]
