"""Query parameters that several endpoints take."""

from drf_spectacular.utils import OpenApiParameter

VERSION = OpenApiParameter("version", int, description="Only this version.")
SEGMENT = OpenApiParameter("segment", str, description="Only this segment of the traffic.")
FROM = OpenApiParameter("from", str, description="ISO 8601 time; UTC unless it names a zone.")
TO = OpenApiParameter("to", str, description="ISO 8601 time, itself not included.")
