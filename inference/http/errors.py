"""The one table from error code to what a client sees, and the shape each dialect gives it.

Both planes use it: this plane directly, the management plane through `config.exceptions`. A test
walks every error class and fails when a code is missing here or in docs/reference/errors.md.
"""

import math
from collections.abc import Mapping
from typing import Any, Literal

from access.errors import BellwetherError
from registry.specs import VersionSpec

Dialect = Literal["native", "classic", "huggingface", "oip", "openai"]
# Their clients, and programs written for them, know a request that is wrong by its 400.
WITHOUT_422: frozenset[Dialect] = frozenset({"oip", "openai"})

STATUS: Mapping[str, int] = {
    # access
    "missing_key": 401,
    "invalid_key": 401,
    "scope_missing": 403,
    "rate_limited": 429,
    "keys_unavailable": 503,
    "invalid_key_fields": 422,
    "key_not_found": 404,
    # registry
    "model_not_found": 404,
    "version_not_found": 404,
    "revision_not_found": 404,
    "entry_not_found": 404,
    "ref_exists": 409,
    "invalid_ref": 422,
    "stale_parent": 412,
    "blob_not_here": 422,
    "model_is_live": 409,
    "length_required": 411,
    "upload_refused": 403,
    "upload_mismatch": 422,
    "not_supported": 403,
    "range_not_satisfiable": 416,
    "model_exists": 409,
    "invalid_name": 422,
    "invalid_field": 422,
    "invalid_path": 422,
    "invalid_manifest": 422,
    "content_refused": 422,
    "source_unreadable": 422,
    "xet_refused": 400,
    "chunks_gone": 400,
    "version_conflict": 409,
    "version_not_routable": 409,
    "version_damaged": 409,
    "version_is_live": 409,
    "invalid_routes": 422,
    "routes_changed": 409,
    "incompatible_version": 409,
    "nothing_to_roll_back": 409,
    "archive_refused": 422,
    "endpoint_not_allowed": 422,
    "address_refused": 422,
    "source_unreachable": 502,
    "operation_not_found": 404,
    "operation_taken": 409,
    "operation_ended": 409,
    "signature_required": 409,
    "invalid_signature": 422,
    "invalid_public_key": 422,
    "trusted_key_exists": 409,
    "trusted_key_not_found": 404,
    "signing_unavailable": 501,
    "audit_broken": 500,
    "backup_target_not_found": 404,
    "backup_target_unreachable": 502,
    "backup_target_busy": 409,
    "snapshot_not_found": 404,
    "backup_damaged": 500,
    "drill_failed": 500,
    "retention_refused": 422,
    "registry_not_empty": 409,
    "sweep_refused": 409,
    "blob_damaged": 500,
    "store_full": 507,
    "endpoint_not_found": 404,
    "endpoint_refused": 422,
    "endpoint_not_running": 409,
    "endpoint_unusable": 422,
    "endpoint_unavailable": 503,
    # monitoring
    "prediction_not_found": 404,
    "unknown_label": 422,
    "invalid_feedback": 422,
    "audit_item_not_found": 404,
    "invalid_audit_plan": 422,
    "invalid_window": 422,
    "invalid_filter": 422,
    "too_many_classes": 422,
    "invalid_monitor": 422,
    "monitor_not_found": 404,
    "monitor_exists": 409,
    "export_unavailable": 501,
    "invalid_rollout": 422,
    "rollout_not_found": 404,
    "rollout_conflict": 409,
    "reference_not_found": 404,
    "invalid_reference": 422,
    "reference_conflict": 409,
    "reference_gave_up": 500,
    "alert_not_found": 404,
    "alert_is_over": 409,
    "invalid_silence": 422,
    "silence_not_found": 404,
    "invalid_channel": 422,
    "channel_not_found": 404,
    "channel_exists": 409,
    "notify_unavailable": 501,
    "delivery_failed": 502,
    # the request
    "invalid_json": 400,
    "invalid_request": 422,
    "unknown_parameter": 422,
    "invalid_text": 422,
    "text_too_long": 422,
    "too_many_inputs": 422,
    "body_too_large": 413,
    "body_too_slow": 408,
    "not_found": 404,
    "host_not_allowed": 400,
    "method_not_allowed": 405,
    "unsupported_media_type": 415,
    "path_not_accepted": 422,
    "job_not_found": 404,
    "job_conflict": 409,
    "job_file_refused": 422,
    "job_format_unavailable": 501,
    "version_not_loaded": 409,
    # the server's state
    "queue_full": 429,
    "deadline_exceeded": 504,
    "model_not_ready": 503,
    "lane_failed": 503,
    "remote_unavailable": 503,
    "remote_refused": 502,
    "remote_invalid_answer": 502,
    "shutting_down": 503,
    "database_unavailable": 503,
    "job_gave_up": 500,
    "job_disk_full": 507,
    "job_files_lost": 500,
    # the input, or nobody there to answer
    "input_failed": 500,
    "request_cancelled": 499,
    "internal_error": 500,
}


def status_of(error: BellwetherError, dialect: Dialect = "native") -> int:
    """Return the status for `error`: 400 instead of 422 where a dialect's clients know no 422."""
    status = STATUS[error.code]
    return 400 if status == 422 and dialect in WITHOUT_422 else status


def version_headers(*specs: VersionSpec) -> dict[str, str]:
    """Return the headers that name the versions that answered, each once."""
    distinct = {spec.digest: spec for spec in specs}
    return {
        "X-Model-Version": ", ".join(str(spec.number) for spec in distinct.values()),
        "X-Model-Digest": ", ".join(distinct),
    }


def headers_of(error: BellwetherError) -> dict[str, str]:
    """Return the headers that go with `error`: Retry-After in whole seconds, WWW-Authenticate, and
    the version that was to answer.
    """
    headers: dict[str, str] = {}
    chosen: VersionSpec | None = getattr(error, "chosen", None)
    if chosen is not None:
        headers |= version_headers(chosen)
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    if error.code == "method_not_allowed" and "allow" in error.details:
        headers["Allow"] = str(error.details["allow"])
    if STATUS[error.code] == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="bellwether"'
    return headers


def body_of(error: BellwetherError, dialect: Dialect = "native") -> dict[str, Any]:
    """Return the JSON that `dialect`'s clients expect: classic ones read `detail`, Hugging Face's
    and those of the Open Inference Protocol a text in `error`, OpenAI's `type` and `param`, too.
    """
    if dialect == "huggingface":
        return _huggingface_body(error)
    if dialect == "oip":
        return _plain_body(error)
    if dialect == "openai":
        return _openai_body(error)
    inner: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.details:
        inner["details"] = error.details
    if dialect == "classic":
        return {"detail": error.message, "error": inner}
    return {"error": inner}


def _plain_body(error: BellwetherError) -> dict[str, Any]:
    body: dict[str, Any] = {"error": error.message, "error_code": error.code}
    if error.details:
        body["details"] = error.details
    return body


def _openai_body(error: BellwetherError) -> dict[str, Any]:
    status = status_of(error, "openai")
    kind = "server_error" if status >= 500 else "invalid_request_error"
    inner = {
        "message": error.message,
        "type": _OPENAI_TYPES.get(status, kind),
        "param": error.details.get("field"),
        "code": error.code,
    }
    return {"error": inner}


_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def _huggingface_body(error: BellwetherError) -> dict[str, Any]:
    body = _plain_body(error)
    if error.code == "model_not_ready":
        name = error.details.get("model", "")
        body["error"] = f"Model {name} is currently loading. {error.message}"
        body["estimated_time"] = error.retry_after_s or 1.0
    return body
