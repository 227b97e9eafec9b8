"""Paths of jobs under /api/v1."""

from django.urls import path

from inference.api import views

urlpatterns = [
    path("jobs", views.JobsView.as_view(), name="inference-jobs"),
    path("jobs/<uuid:job>", views.JobView.as_view(), name="inference-job"),
    path("jobs/<uuid:job>/pause", views.PauseView.as_view(), name="inference-job-pause"),
    path("jobs/<uuid:job>/resume", views.ResumeView.as_view(), name="inference-job-resume"),
    path("jobs/<uuid:job>/cancel", views.CancelView.as_view(), name="inference-job-cancel"),
    path("jobs/<uuid:job>/results", views.ResultsView.as_view(), name="inference-job-results"),
    path("jobs/<uuid:job>/errors", views.ErrorsView.as_view(), name="inference-job-errors"),
]
