"""One error shape on the wire, the same from both planes, and one document that describes both.

native   {"error": {"code", "message", "details"?}}
classic  {"detail": message, "error": {…}}
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client, RequestFactory
from drf_spectacular.generators import SchemaGenerator
from openapi_spec_validator import validate
from starlette.applications import Starlette
from starlette.testclient import TestClient

from access.asgi import admit
from access.entrance import use_gate
from access.gate import Gate
from access.keyring import KeyFacts, KeyRing, digest_of
from access.ratelimit import make_limiter
from access.scopes import Scope
from config import fallbacks
from config.middleware import BufferedBody, Observed
from inference.engine.engine import Engine
from inference.engine.limits import EngineLimits
from inference.http.classic import ClassicDialect
from inference.http.endpoints import Endpoint, Received, Reply, routes
from inference.http.errors import STATUS
from inference.http.limits import RequestLimits
from inference.http.native import NativeDialect
from inference.recording import MemoryRecorder
from inference.service import Service
from inference.serving import NOTHING_LOADED, LiveRoute, ServedModel, Serving, Table
from tests.inference.doubles import a_predictor, a_spec

LIMITS = RequestLimits(
    max_body_bytes=4096, max_inputs=3, max_job_inputs=5, max_text_chars=100, timeout_s=1
)
PREDICT = "/api/v1/models/some/model/predict"
OK_KEY, READER, LIMITED = "ok.key", "reader.key", "limited.key"
KEYS = {
    OK_KEY: KeyFacts(id="ok", name="ok", scopes=frozenset({Scope.ADMIN})),
    READER: KeyFacts(id="reader", name="reader", scopes=frozenset({Scope.FEEDBACK})),
    LIMITED: KeyFacts(id="limited", name="limited", scopes=frozenset({Scope.ADMIN}), rate="1/hour"),
}


@pytest.fixture(autouse=True)
def gate() -> Iterator[None]:
    keys = {digest_of(key): facts for key, facts in KEYS.items()}
    with use_gate(Gate(KeyRing(lambda: keys), make_limiter("1000/second"))):
        yield


LOADED = ServedModel(live=(LiveRoute(a_predictor(a_spec(model="some/model")), 100),))


@pytest.fixture(params=[LOADED])
def inference(request: pytest.FixtureRequest) -> Iterator[TestClient]:
    """The inference plane with one model, loaded unless a test says otherwise."""
    serving = Serving()
    serving.table = Table(1, {"some/model": request.param})
    service = Service(serving, Engine(EngineLimits()), MemoryRecorder(), stores_text=True)
    runner: Any = None
    endpoints = [
        *NativeDialect(service, LIMITS).endpoints(),
        *ClassicDialect(service, LIMITS, runner, "some/model").endpoints(),
        Endpoint(
            method="GET", path="/bug", handler=bug, scope=None, reply=str, summary="", tag="test"
        ),
    ]
    app = Starlette(routes=routes(endpoints, admit, max_body_bytes=LIMITS.max_body_bytes))
    with TestClient(Observed(app), raise_server_exceptions=False) as client:
        yield client
    service.close()


async def bug(received: Received[None]) -> Reply:
    raise KeyError("nobody expected this")


def assert_error(answer: Any, code: str, dialect: str = "native") -> dict[str, Any]:
    """Check status, headers and body of an error answer; return its inner object."""
    body = answer.json()
    inner: dict[str, Any] = body["error"]
    assert inner["code"] == code
    assert answer.status_code == STATUS[code]
    assert answer.headers["content-type"].startswith("application/json")
    assert set(inner) <= {"code", "message", "details"}
    assert isinstance(inner["message"], str)
    assert inner["message"]
    assert inner.get("details", {"field": ""}), "details are left out when there are none"
    if dialect == "classic":
        assert body == {"detail": inner["message"], "error": inner}
    else:
        assert body == {"error": inner}
    if answer.status_code == 401:
        assert answer.headers["www-authenticate"].startswith("Bearer")
    if answer.status_code in (429, 503):
        assert int(answer.headers["retry-after"]) >= 1
    return inner


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


# Bodies that both dialects refuse alike; %s is the dialect's own field.
REFUSED = [
    pytest.param(b"{", "invalid_json", id="cut short"),
    pytest.param(b"", "invalid_json", id="empty body"),
    pytest.param(b'{"%s": "\xff"}', "invalid_json", id="not UTF-8"),
    pytest.param(b'{"%s": "\\ud800"}', "invalid_json", id="lone surrogate"),
    pytest.param(b'{"%s": 7}', "invalid_request", id="wrong type"),
    pytest.param(b"{}", "invalid_request", id="nothing to predict"),
    pytest.param(b'{"%s": "a", "colour": 1}', "unknown_parameter", id="unknown field"),
    pytest.param(b'{"%s": " \\n"}', "invalid_text", id="blank"),
    pytest.param(b'{"%s": "a\\u0000b"}', "invalid_text", id="NUL"),
    pytest.param(b'{"%s": "' + b"a" * 101 + b'"}', "text_too_long", id="too long"),
    pytest.param(b'{"%s": "' + b"a" * 5000 + b'"}', "body_too_large", id="too large"),
]


BOTH = pytest.mark.parametrize(
    ("dialect", "path", "field"),
    [("native", PREDICT, b"inputs"), ("classic", "/sentiment", b"text")],
)


@BOTH
@pytest.mark.parametrize("inference", [NOTHING_LOADED], indirect=True)
def test_a_model_that_is_not_loaded_has_the_shape(
    inference: TestClient, dialect: str, path: str, field: bytes
) -> None:
    answer = inference.post(path, json={field.decode(): "good"}, headers=bearer(OK_KEY))
    assert_error(answer, "model_not_ready", dialect)


@pytest.mark.parametrize(("body", "code"), REFUSED)
@BOTH
def test_a_refused_prediction_has_the_shape(
    inference: TestClient, dialect: str, path: str, field: bytes, body: bytes, code: str
) -> None:
    answer = inference.post(path, content=body.replace(b"%s", field), headers=bearer(OK_KEY))
    assert_error(answer, code, dialect)
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("path", "field", "dialect"),
    [
        (PREDICT, "inputs", "native"),
        ("/batch-sentiment", "texts", "classic"),
        ("/concurrent-batch-sentiment", "texts", "classic"),
    ],
)
def test_too_many_texts_have_the_shape(
    inference: TestClient, path: str, field: str, dialect: str
) -> None:
    answer = inference.post(path, json={field: ["a"] * 4}, headers=bearer(OK_KEY))
    assert assert_error(answer, "too_many_inputs", dialect)["details"]["field"] == field


def test_an_unknown_model_has_the_shape(inference: TestClient) -> None:
    path = PREDICT.replace("some", "other")
    answer = inference.post(path, json={"inputs": "a"}, headers=bearer(OK_KEY))
    assert_error(answer, "model_not_found")


@pytest.mark.parametrize(("path", "dialect"), [(PREDICT, "native"), ("/analyze", "classic")])
def test_a_wrong_method_names_the_right_one(inference: TestClient, path: str, dialect: str) -> None:
    answer = inference.get(path, headers=bearer(OK_KEY))
    assert_error(answer, "method_not_allowed", dialect)
    assert answer.headers["allow"] == "POST"


def test_a_bug_shows_its_request_id_and_nothing_else(inference: TestClient) -> None:
    answer = inference.get("/bug", headers={"X-Request-Id": "my-id"})
    inner = assert_error(answer, "internal_error")
    assert inner["details"] == {"request_id": "my-id"}
    assert answer.headers["x-request-id"] == "my-id"
    assert "nobody expected" not in answer.text


AT_THE_DOOR = [
    pytest.param({}, "missing_key", id="no key"),
    pytest.param(bearer("no.key"), "invalid_key", id="unknown key"),
    pytest.param({"X-API-Key": "no.key"}, "invalid_key", id="unknown key in the other header"),
    pytest.param(bearer(READER), "scope_missing", id="wrong scope"),
]


@pytest.mark.parametrize(("headers", "code"), AT_THE_DOOR)
@pytest.mark.parametrize(("path", "dialect"), [(PREDICT, "native"), ("/sentiment", "classic")])
def test_the_inference_plane_says_no_at_the_door(
    inference: TestClient, path: str, dialect: str, headers: dict[str, str], code: str
) -> None:
    assert_error(inference.post(path, json={"inputs": "a"}, headers=headers), code, dialect)


@pytest.mark.parametrize(("headers", "code"), AT_THE_DOOR)
def test_the_management_plane_says_no_at_the_door(
    client: Client, headers: dict[str, str], code: str
) -> None:
    assert_error(client.get("/api/v1/models", headers=headers), code)


def test_both_planes_count_one_key_together(client: Client, inference: TestClient) -> None:
    inference.post(PREDICT, json={"inputs": "a"}, headers=bearer(LIMITED))
    answer = inference.post(PREDICT, json={"inputs": "a"}, headers=bearer(LIMITED))
    assert_error(answer, "rate_limited")
    assert_error(client.get("/api/v1/models", headers=bearer(LIMITED)), "rate_limited")


MANAGED = [
    ("GET", "/api/v1/nothing-here", None, "not_found"),
    ("GET", "/api/v1/models/some/model", None, "model_not_found"),
    ("GET", "/api/v1/models/some/model/quality", None, "model_not_found"),
    ("GET", "/api/v1/predictions?colour=red", None, "invalid_filter"),
    (
        "GET",
        f"/api/v1/predictions/{'0' * 8}-0000-7000-8000-{'0' * 12}",
        None,
        "prediction_not_found",
    ),
    ("GET", "/api/v1/keys/nobody", None, "key_not_found"),
    ("PUT", "/api/v1/models", "{}", "method_not_allowed"),
    ("POST", "/api/v1/models", "{", "invalid_json"),
    ("POST", "/api/v1/models", "{}", "invalid_request"),
    ("POST", "/api/v1/models", '{"name": "a--b/c"}', "invalid_name"),
    ("POST", "/api/v1/keys", '{"name": "x", "scopes": ["fly"]}', "invalid_request"),
    (
        "POST",
        "/api/v1/keys",
        '{"name": "x", "scopes": ["read"], "rate": "1"}',
        "invalid_key_fields",
    ),
    ("POST", "/api/v1/feedback", '{"prediction_id": 1}', "invalid_feedback"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path", "body", "code"), MANAGED)
def test_a_refused_management_request_has_the_shape(
    client: Client, method: str, path: str, body: str | None, code: str
) -> None:
    answer = client.generic(
        method, path, body or "", content_type="application/json", headers=bearer(OK_KEY)
    )
    assert_error(answer, code)


def test_other_media_types_have_the_shape(client: Client) -> None:
    answer = client.post("/api/v1/models", "a=1", content_type="text/x", headers=bearer(OK_KEY))
    assert_error(answer, "unsupported_media_type")


@pytest.mark.django_db
def test_classic_feedback_has_the_classic_shape(client: Client) -> None:
    answer = client.post("/feedback", {}, content_type="application/json", headers=bearer(OK_KEY))
    assert_error(answer, "invalid_feedback", "classic")


def test_a_body_too_large_for_the_management_plane_has_the_shape() -> None:
    async def unreachable(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("the body should have been refused")

    client = TestClient(BufferedBody(unreachable, 10))
    assert_error(client.post("/", content=b"a" * 11), "body_too_large")


def test_a_bug_of_the_management_plane_has_the_shape() -> None:
    request = RequestFactory().get("/api/v1/models")
    request.META["asgi.scope"] = {"state": {"request_id": "my-id"}}
    answer = fallbacks.server_error(request)
    assert answer.status_code == STATUS["internal_error"]
    error = json.loads(answer.content)["error"]
    assert error["code"] == "internal_error"
    assert error["details"] == {"request_id": "my-id"}


@pytest.fixture
def document() -> dict[str, Any]:
    generator: Any = SchemaGenerator()  # type: ignore[no-untyped-call]
    made: dict[str, Any] = generator.get_schema(request=None, public=True)
    return made


def test_the_openapi_document_is_valid_and_holds_both_planes(document: dict[str, Any]) -> None:
    validate(document)
    assert "/api/v1/models/{namespace}/{name}/predict" in document["paths"]
    assert "/api/v1/models/{namespace}/{name}/quality" in document["paths"]


def test_the_openapi_document_names_each_operation_and_its_keys(document: dict[str, Any]) -> None:
    operations = [each for path in document["paths"].values() for each in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    used = {name for each in operations for way in each.get("security", ()) for name in way}
    assert used <= set(document["components"]["securitySchemes"])


def test_the_openapi_document_is_made_without_warnings(tmp_path: Path) -> None:
    call_command(
        "spectacular", file=str(tmp_path / "openapi.yaml"), validate=True, fail_on_warn=True
    )
