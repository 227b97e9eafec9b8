"""What the OpenAPI document says of the route that takes archives, which is no view."""

from typing import Any

from registry.specs import Pooling

PATH = "/api/v1/models/{namespace}/{name}/archive"


def _text(name: str, where: str, **schema: Any) -> dict[str, Any]:
    return {
        "name": name,
        "in": where,
        "required": where == "path",
        "schema": {"type": "string", **schema},
    }


def _answer(description: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": description, "content": content}


_REFUSED = {
    "401": "No key, or not a good one.",
    "403": "The key lacks the scope.",
    "413": "The archive is too large.",
    "422": "The archive or a field may not be; the message says which.",
    "507": "It does not fit on the disk.",
}
PATHS: dict[str, Any] = {
    PATH: {
        "put": {
            "operationId": "registry_archive",
            "summary": "Make an archive (tar, tar.gz, zip) the next version",
            "description": "Needs the scope `push`; `promote=true` needs `promote` as well. The "
            "body is the archive, or a form with one file. Small archives are worked at once.",
            "tags": ["registry"],
            "security": [{"bearerKey": []}, {"headerKey": []}],
            "parameters": [
                _text("namespace", "path"),
                _text("name", "path"),
                _text("pooling", "query", enum=[kind.value for kind in Pooling]),
                _text("note", "query"),
                _text("promote", "query", enum=["true", "false"]),
            ],
            "requestBody": {
                "required": True,
                "content": {"application/octet-stream": {"schema": {"type": "string"}}},
            },
            "responses": {
                "201": {
                    "description": "The version.",
                    "content": {"application/json": {"schema": {"type": "object"}}},
                },
                "202": _answer("It is queued: follow the operation.", "Operation"),
                **{code: _answer(text, "ErrorReply") for code, text in _REFUSED.items()},
            },
        }
    }
}
