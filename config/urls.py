"""Paths of the management plane. The inference plane's paths are in `inference.http`."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from monitoring.api.urls import classic_urlpatterns

OPEN: dict[str, list[type]] = {
    "authentication_classes": [],
    "permission_classes": [],
    "throttle_classes": [],
}

urlpatterns = [
    path("admin/", admin.site.urls),
    path("docs", SpectacularSwaggerView.as_view(url_name="schema", **OPEN), name="docs"),
    path("api/v1/schema", SpectacularAPIView.as_view(**OPEN), name="schema"),
    path("api/v1/", include("access.api.urls")),
    path("api/v1/", include("registry.api.urls")),
    path("api/v1/", include("monitoring.api.urls")),
    *classic_urlpatterns,
]

handler400 = "config.fallbacks.bad_request"
handler404 = "config.fallbacks.not_found"
handler500 = "config.fallbacks.server_error"
