"""The page of one model: what it serves, and how that went, on one range of time."""

from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone

from access.scopes import Scope
from monitoring.dashboard.model import load_head
from monitoring.dashboard.pages import load_model, model_tabs, page, render

_NO_ID = UUID(int=0)
_PURPOSE = "How this model does, and since when: every chart shows the same stretch of time."


@page(Scope.READ)
def model(request: HttpRequest, namespace: str, name: str) -> HttpResponseBase:
    spec = load_model(namespace, name)
    now = timezone.now()
    head = load_head(spec.name, now=now)
    return render(
        request,
        "model.html",
        title=f"Model {spec.name}",
        purpose=_PURPOSE,
        tabs=model_tabs(spec.name, "overview"),
        model=spec,
        head=head,
        setup={
            "api": f"/api/v1/models/{spec.name}/",
            "model": spec.name,
            "live": spec.live.number if spec.live else None,
            "now": now.timestamp(),
            "versions": head.versions,
            "segments": head.segments,
            # The page puts a prediction's id in the place of this one.
            "prediction": reverse("dashboard:prediction", args=[_NO_ID]),
            "noId": str(_NO_ID),
            "predictions": reverse("dashboard:predictions"),
        },
    )
