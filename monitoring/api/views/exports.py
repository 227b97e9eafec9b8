"""Exports over REST: a file that is made while it is sent."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from django.http import FileResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from monitoring.api import params
from monitoring.api.views.parameters import FROM, TO
from monitoring.errors import InvalidFilter
from monitoring.exports.formats import CONTENT_TYPES, Format, encode, write_parquet
from monitoring.exports.rows import COLUMNS, Selection, Table, count_rows, load_rows
from monitoring.searching import FIELDS, parse_search
from monitoring.windows import parse_window

# A file is made by one of the few threads that answer; longer ones are the command's work.
MAX_ROWS = 200_000
_SEARCHED = tuple(name for name in FIELDS if name not in ("model", "from", "to"))


class ExportView(APIView):
    required_scopes = {"GET": "read"}

    @extend_schema(
        operation_id="exports",
        tags=["exports"],
        summary="Predictions, feedback or evaluations as a file",
        parameters=[
            OpenApiParameter("table", str, OpenApiParameter.PATH, enum=list(Table)),
            OpenApiParameter("ending", str, OpenApiParameter.PATH, enum=list(Format)),
            OpenApiParameter("model", str, description="namespace/name"),
            FROM,
            TO,
            *(
                OpenApiParameter(name, str, description="Of predictions: as their page filters.")
                for name in _SEARCHED
            ),
        ],
        responses={(200, kind): OpenApiTypes.BINARY for kind in CONTENT_TYPES.values()},
    )
    def get(self, request: Request, table: str, ending: str) -> HttpResponseBase:
        """Oldest first, 200,000 rows at most: choose a shorter window, or use the command.

        Without `from` and `to` the window is the last 24 hours.
        """
        query = request.query_params
        format = Format(_one_of(Format, "ending", ending))
        selection = _selection(Table(_one_of(Table, "table", table)), query)
        if count_rows(selection, at_most=MAX_ROWS + 1) > MAX_ROWS:
            raise InvalidFilter(
                f"These are more than {MAX_ROWS} rows: choose a shorter window, or use "
                "`manage.py export`.",
                details={"field": "from", "max_rows": MAX_ROWS},
            )
        response = _response(selection, format)
        response["Content-Disposition"] = f'attachment; filename="{table}.{format}"'
        return response


def _selection(table: Table, query: Mapping[str, str]) -> Selection:
    is_searched = table is Table.PREDICTIONS
    params.refuse_unknown(query, FIELDS if is_searched else ("model", "from", "to"))
    now = timezone.now()
    window = parse_window(query.get("from"), query.get("to"), now=now)
    search = parse_search(query, now=now) if is_searched else None
    return Selection(table, window, query.get("model"), search)


def _one_of(choices: Iterable[str], field: str, name: str) -> str:
    if name not in set(choices):
        raise InvalidFilter(
            f"There is no {name[:40]!r} here: {field!r} is one of {', '.join(choices)}.",
            details={"field": field},
        )
    return name


def _response(selection: Selection, format: Format) -> HttpResponseBase:
    columns, rows = COLUMNS[selection.table], load_rows(selection)
    if format is not Format.PARQUET:
        pieces: Iterator[bytes] = encode(rows, columns, format)
        return StreamingHttpResponse(pieces, content_type=CONTENT_TYPES[format])
    # A Parquet file ends with its directory, so it is made before it is sent.
    handle, name = tempfile.mkstemp(suffix=".parquet")
    os.close(handle)
    path = Path(name)
    try:
        write_parquet(rows, columns, path)
        file = path.open("rb")
    finally:
        path.unlink()
    return FileResponse(file, content_type=CONTENT_TYPES[format])
