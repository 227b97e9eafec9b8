"""Labels from a file."""

from dataclasses import asdict
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from access.scopes import Scope
from monitoring.dashboard.feedback_files import LARGEST_BYTES, MOST_REFUSED, Report, give_file
from monitoring.dashboard.pages import page, render
from monitoring.errors import InvalidFeedback
from monitoring.specs import SOURCES

_DEFAULT = "delayed"
_LISTED = 100


@page(Scope.FEEDBACK)
def upload(request: HttpRequest) -> HttpResponseBase:
    chosen = request.POST.get("source", _DEFAULT)
    context: dict[str, Any] = {"source": chosen if chosen in SOURCES else _DEFAULT}
    if request.method == "POST":
        context |= _outcome(request, str(context["source"]))
    return render(
        request,
        "feedback_upload.html",
        title="Labels from a file",
        purpose="Say what was true of many predictions at once, by the ids that came with them.",
        status=422 if "error" in context else 200,
        **context,
    )


def _outcome(request: HttpRequest, source: str) -> dict[str, object]:
    file = request.FILES.get("file")
    if file is None:
        return {"error": "Choose a file first."}
    if file.size is None or file.size > LARGEST_BYTES:
        return {"error": f"Files may be {LARGEST_BYTES // 2**20} MB at most: send it in parts."}
    try:
        report = give_file(
            file.read(),
            default_source=source,
            key_id=f"user:{request.user.pk}",
            now=timezone.now(),
        )
    except InvalidFeedback as error:
        return {"error": error.message}
    return {"file_name": file.name, "report": report, **_refused(report)}


def _refused(report: Report) -> dict[str, object]:
    n_refused = report.counts["refused"]
    return {
        "outcomes": [
            (name, report.counts[name]) for name in ("recorded", "revised", "unchanged", "refused")
        ],
        "listed": report.refused[:_LISTED],
        "n_unlisted": n_refused - min(n_refused, _LISTED),
        "n_kept": min(n_refused, MOST_REFUSED),
        "refused": [asdict(each) for each in report.refused],
    }
