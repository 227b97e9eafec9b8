from django.urls import include, path

from monitoring.api.urls import classic_urlpatterns
from monitoring.api.urls import urlpatterns as api_urlpatterns

urlpatterns = [
    path("api/v1/", include(api_urlpatterns)),
    path("", include(classic_urlpatterns)),
]
