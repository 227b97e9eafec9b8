"""Time lines over REST: what the charts of a model's page are drawn from."""

from hashlib import sha256

import msgspec
from django.utils import timezone
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.http import parse_etags
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from monitoring.api import params
from monitoring.api.serializers.timelines import TimelineSerializer, show_timeline
from monitoring.api.views.parameters import FROM, SEGMENT, TO, VERSION
from monitoring.timelines.loading import load_timeline

OPEN_S, CLOSED_S = 5, 300
"""How long an answer stays fresh: windows that reach the present change with every prediction."""


class TimelineView(APIView):
    required_scopes = {"GET": "read"}

    @extend_schema(
        operation_id="timeline",
        tags=["quality"],
        summary="See how a model did over time",
        parameters=[FROM, TO, VERSION, SEGMENT],
        responses={200: TimelineSerializer, 304: None},
    )
    def get(self, request: Request, namespace: str, name: str) -> Response:
        """Traffic, latency, labels, confidence, quality, estimates, drift and what happened, over
        at most 200 steps.

        Without `from` and `to` the window is the last 24 hours; it is widened to whole steps.
        """
        now = timezone.now()
        scope = params.parse_timeline(f"{namespace}/{name}", request.query_params, now=now)
        timeline = load_timeline(scope, now=now)
        shown = show_timeline(timeline)
        etag = f'"{sha256(msgspec.json.encode(shown)).hexdigest()[:32]}"'
        known = parse_etags(request.headers.get("If-None-Match", ""))
        is_known = etag in (tag.removeprefix("W/") for tag in known)
        response = Response(status=status.HTTP_304_NOT_MODIFIED) if is_known else Response(shown)
        response["ETag"] = etag
        is_open = timeline.steps.window.end >= now
        patch_cache_control(response, private=True, max_age=OPEN_S if is_open else CLOSED_S)
        patch_vary_headers(response, ["Authorization", "X-API-Key", "Cookie"])
        return response
