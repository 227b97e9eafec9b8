"""A job's file as an answer of the management plane."""

from django.http import StreamingHttpResponse

from inference.jobs.listing import Download


def sent(download: Download) -> StreamingHttpResponse:
    """The file in pieces, to be kept and not shown."""
    response = StreamingHttpResponse(download.pieces(), content_type=download.content_type)
    response["Content-Disposition"] = f'attachment; filename="{download.name}"'
    if download.inline is None:
        response["Content-Length"] = str(sum(n_bytes for _, n_bytes in download.parts))
    return response
