"""What the OpenAPI document says of the route that takes files, which is no view."""

from typing import Any

from inference.jobs.rows import Format

PATH = "/api/v1/models/{namespace}/{name}/jobs"
_KINDS = {
    "text/csv": "binary",
    "application/x-ndjson": "binary",
    "application/vnd.apache.parquet": "binary",
    "text/plain": "binary",
    "application/octet-stream": "binary",
}


def _text(name: str, where: str, description: str, **schema: Any) -> dict[str, Any]:
    return {
        "name": name,
        "in": where,
        "required": where == "path",
        "description": description,
        "schema": {"type": "string", **schema},
    }


def _answer(description: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": description, "content": content}


_REFUSED = {
    "401": "No key, or not a good one.",
    "403": "The key lacks the scope.",
    "404": "There is no such model.",
    "413": "The file is larger than BELLWETHER_MAX_JOB_BYTES.",
    "422": "The file or a field may not be; the message says which.",
    "501": "The package for this format is not installed.",
    "503": "The model has no live version.",
    "507": "It does not fit on the disk.",
}
_LIST: dict[str, Any] = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "inputs": {
            "type": "array",
            "minItems": 1,
            "items": {"oneOf": [{"type": "string"}, {"type": "object"}]},
        },
        "text_column": {"type": "string"},
        "label_column": {"type": "string"},
        "keep_columns": {"type": "boolean"},
    },
}
_FORM: dict[str, Any] = {
    "type": "object",
    "required": ["file", "format"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "format": {"type": "string", "enum": [each.value for each in Format]},
        "text_column": {"type": "string"},
        "label_column": {"type": "string"},
        "keep_columns": {"type": "string", "enum": ["true", "false"]},
    },
}
PATHS: dict[str, Any] = {
    PATH: {
        "post": {
            "operationId": "jobs_create",
            "summary": "Start a job on a file, or on a list of texts",
            "description": "Needs the scope `predict`; `label_column` needs `feedback` as well. "
            "The body is the file (gzip is recognised), a form with one file, or a JSON list.",
            "tags": ["jobs"],
            "security": [{"bearerKey": []}, {"headerKey": []}],
            "parameters": [
                _text("namespace", "path", "The model's namespace."),
                _text("name", "path", "The model's name."),
                _text(
                    "format",
                    "query",
                    "What the file is, where the Content-Type does not say it.",
                    enum=[each.value for each in Format],
                ),
                _text("text_column", "query", "By default `text`, or the only column."),
                _text("label_column", "query", "Its values become feedback."),
                _text(
                    "keep_columns",
                    "query",
                    "Whether results have the other columns, too.",
                    enum=["true", "false"],
                ),
            ],
            "requestBody": {
                "required": True,
                "content": {
                    **{
                        kind: {"schema": {"type": "string", "format": form}}
                        for kind, form in _KINDS.items()
                    },
                    "multipart/form-data": {"schema": _FORM},
                    "application/json": {"schema": _LIST},
                },
            },
            "responses": {
                "202": _answer("The job is queued.", "Job"),
                **{code: _answer(text, "ErrorReply") for code, text in _REFUSED.items()},
            },
        }
    }
}
