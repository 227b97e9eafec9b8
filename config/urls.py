"""Paths of the management plane. The inference plane's paths are in `inference.http`."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from monitoring.api.urls import classic_urlpatterns

OPEN: dict[str, list[type]] = {
    "authentication_classes": [],
    "permission_classes": [],
    "throttle_classes": [],
}

urlpatterns = [
    # Before the admin's own pages: the first of them is this one's.
    path("admin/", include("monitoring.dashboard.urls")),
    path("admin/", admin.site.urls),
    # Its script comes from an address of its own: pages hold none.
    path("docs", SpectacularSwaggerSplitView.as_view(url_name="schema", **OPEN), name="docs"),
    # Browsers ask for it wherever a page names no other.
    path("favicon.ico", RedirectView.as_view(url="/static/dashboard/favicon.svg")),
    path("api/v1/schema", SpectacularAPIView.as_view(**OPEN), name="schema"),
    path("api/v1/", include("access.api.urls")),
    path("api/v1/", include("registry.api.urls")),
    path("api/v1/", include("inference.api.urls")),
    path("api/v1/", include("monitoring.api.urls")),
    *classic_urlpatterns,
]

handler400 = "config.fallbacks.bad_request"
handler403 = "config.fallbacks.forbidden"
handler404 = "config.fallbacks.not_found"
handler500 = "config.fallbacks.server_error"
