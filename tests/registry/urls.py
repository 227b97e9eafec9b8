"""The registry's API and the admin, whose navigation names the dashboard."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", include("monitoring.dashboard.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("registry.api.urls")),
]
