"""The monitor over REST: shapes, filters, pages, scopes and errors."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings
from drf_spectacular.validation import validate_schema
from rest_framework.test import APIClient

from access.scopes import Scope
from monitoring.models import Feedback
from tests.monitoring.builders import MODEL, client, make_prediction, register, uuid7

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.monitoring.urls")]

QUALITY = f"/api/v1/models/{MODEL}/quality"


@pytest.fixture(autouse=True)
def registered() -> None:
    register()


@pytest.fixture
def api() -> APIClient:
    return client()


def post(api: APIClient, path: str, body: object):  # type: ignore[no-untyped-def]
    return api.post(path, body, format="json")


def code_of(answer) -> str:  # type: ignore[no-untyped-def]
    return answer.json()["error"]["code"]


def recent(**changes: object):  # type: ignore[no-untyped-def]
    return make_prediction(at=timezone.now() - timedelta(minutes=5), **changes)


@pytest.mark.parametrize("path", ["/api/v1/feedback", "/feedback"])
def test_feedback_is_recorded_then_unchanged_then_revised(api: APIClient, path: str) -> None:
    row = recent()
    body = {"prediction_id": str(row.id), "correct_label": "NEGATIVE"}
    first = post(api, path, body)
    assert first.status_code == 200
    answer = first.json()
    at = answer.pop("at")
    assert answer == {
        "status": "recorded",
        "prediction_id": str(row.id),
        "predicted_label": "POSITIVE",
        "correct_label": "NEGATIVE",
        "source": "user",
        "revision": 1,
    }
    assert post(api, path, body).json() == answer | {"status": "unchanged", "at": at}
    revised = post(api, path, body | {"correct_label": "NEUTRAL"}).json()
    assert (revised["status"], revised["revision"]) == ("revised", 2)
    assert set(Feedback.objects.values_list("key_id", flat=True)) == {"k-test"}


def test_a_list_is_answered_item_by_item(api: APIClient) -> None:
    row, unknown = recent(), str(uuid4())
    answer = post(
        api,
        "/api/v1/feedback",
        [
            {"prediction_id": str(row.id), "correct_label": "NEGATIVE"},
            {"prediction_id": unknown, "correct_label": "NEGATIVE"},
            {"prediction_id": str(row.id), "correct_label": "positive"},
            {"prediction_id": "?", "correct_label": "NEGATIVE"},
            7,
        ],
    )
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [result["index"] for result in results] == [0, 1, 2, 3, 4]
    assert results[0]["status"] == "recorded"
    assert [result["error"]["code"] for result in results[1:]] == [
        "prediction_not_found",
        "unknown_label",
        "invalid_feedback",
        "invalid_feedback",
    ]
    assert results[3]["error"]["details"] == {"field": "prediction_id"}


@pytest.mark.parametrize("path", ["/api/v1/feedback", "/feedback"])
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"prediction_id": str(uuid4()), "correct_label": "NEGATIVE"}, 404, "prediction_not_found"),
        ({"prediction_id": "x", "correct_label": "NEGATIVE"}, 422, "invalid_feedback"),
        ({"correct_label": "NEGATIVE"}, 422, "invalid_feedback"),
        (7, 422, "invalid_feedback"),
        ("null", 422, "invalid_feedback"),
    ],
)
def test_single_feedback_errors_are_plain(
    api: APIClient, path: str, body: object, status: int, code: str
) -> None:
    answer = post(api, path, body)
    assert (answer.status_code, code_of(answer)) == (status, code)


def test_a_list_that_is_too_long_is_refused_whole(api: APIClient) -> None:
    item = {"prediction_id": str(uuid4()), "correct_label": "A"}
    assert code_of(post(api, "/api/v1/feedback", [item] * 1001)) == "invalid_feedback"
    assert code_of(post(api, "/api/v1/feedback", [])) == "invalid_feedback"
    assert code_of(post(api, "/feedback", [item])) == "invalid_feedback"


def test_an_unknown_label_lists_the_allowed_ones(api: APIClient) -> None:
    row = recent()
    answer = post(api, "/feedback", {"prediction_id": str(row.id), "correct_label": "meh"})
    assert (answer.status_code, code_of(answer)) == (422, "unknown_label")
    allowed = answer.json()["error"]["details"]["allowed"]
    assert allowed == ["NEGATIVE", "NEUTRAL", "POSITIVE"]


def test_each_endpoint_asks_for_its_scope() -> None:
    row = recent()
    body = {"prediction_id": str(row.id), "correct_label": "NEGATIVE"}
    reader, writer = client(Scope.READ), client(Scope.FEEDBACK)
    for path in ("/api/v1/feedback", "/feedback"):
        assert post(reader, path, body).status_code == 403
        assert post(writer, path, body).status_code == 200
        assert post(APIClient(), path, body).status_code == 401
    for path in ("/api/v1/predictions", f"/api/v1/predictions/{row.id}", QUALITY):
        assert reader.get(path).status_code == 200
        assert writer.get(path).status_code == 403


def test_predictions_are_listed_newest_first_and_paged(api: APIClient) -> None:
    start = timezone.now() - timedelta(hours=1)
    ids = [str(make_prediction(at=start + timedelta(minutes=i)).id) for i in range(7)]
    seen, path = [], "/api/v1/predictions?limit=3"
    while path:
        page = api.get(path).json()
        assert len(page["results"]) <= 3
        seen += [row["id"] for row in page["results"]]
        path = page["next"]
    assert seen == ids[::-1]


def test_predictions_are_filtered(api: APIClient) -> None:
    now = timezone.now()
    plain = recent()
    web = recent(segment="web", label="NEGATIVE", version=2)
    old = make_prediction(at=now - timedelta(days=3))
    other = recent(model="acme/other")
    post(api, "/feedback", {"prediction_id": str(plain.id), "correct_label": "NEUTRAL"})

    def listed(**query: object) -> set[str]:
        return {row["id"] for row in api.get("/api/v1/predictions", query).json()["results"]}

    ids = {name: str(row.id) for name, row in locals().items() if name in "plain web old other"}
    assert listed() == set(ids.values())
    assert listed(model="acme/other") == {ids["other"]}
    assert listed(model=MODEL, version=2) == {ids["web"]}
    assert listed(segment="web") == listed(label="NEGATIVE") == {ids["web"]}
    assert listed(to=(now - timedelta(days=1)).isoformat()) == {ids["old"]}
    assert ids["old"] not in listed(**{"from": (now - timedelta(days=1)).isoformat()})
    assert listed(labelled="yes") == {ids["plain"]}
    assert listed(labelled="no") == set(ids.values()) - {ids["plain"]}


def test_a_prediction_shows_itself_and_its_revisions(api: APIClient) -> None:
    row = recent(segment="web")
    for label in ("NEGATIVE", "NEUTRAL"):
        post(api, "/feedback", {"prediction_id": str(row.id), "correct_label": label})
    answer = api.get(f"/api/v1/predictions/{row.id}").json()
    assert answer["correct_label"] == "NEUTRAL"
    assert [(said["revision"], said["label"]) for said in answer["feedback"]] == [
        (1, "NEGATIVE"),
        (2, "NEUTRAL"),
    ]
    assert answer["timing_ms"] == {"tokenize": 0.1, "queue": 0.2, "inference": 3.0, "total": 3.5}
    assert (answer["model"], answer["segment"], answer["text"]) == (MODEL, "web", "a fine day")
    listed = api.get("/api/v1/predictions").json()["results"][0]
    assert answer == listed | {"feedback": answer["feedback"]}


def test_an_unknown_prediction_is_not_found(api: APIClient) -> None:
    answer = api.get(f"/api/v1/predictions/{uuid7(timezone.now().timestamp())}")
    assert (answer.status_code, code_of(answer)) == (404, "prediction_not_found")


def test_quality_has_every_rate_with_its_interval(api: APIClient) -> None:
    pairs = [("POSITIVE", "POSITIVE")] * 3 + [("NEGATIVE", "POSITIVE")]
    for actual, predicted in pairs:
        row = recent(label=predicted)
        post(api, "/feedback", {"prediction_id": str(row.id), "correct_label": actual})
    recent()
    answer = api.get(QUALITY, {"by": "version"}).json()
    assert answer["model"] == MODEL
    assert (answer["n_predicted"], answer["n_labelled"], answer["coverage"]) == (5, 4, 0.8)
    assert answer["verdict"] == "INSUFFICIENT_DATA"
    assert answer["accuracy"]["value"] == 0.75
    assert answer["accuracy"]["low"] == pytest.approx(0.19412, abs=1e-4)
    assert answer["confusion"] == {"labels": ["NEGATIVE", "POSITIVE"], "counts": [[0, 1], [0, 3]]}
    assert [row["label"] for row in answer["classes"]] == ["NEGATIVE", "POSITIVE"]
    assert answer["classes"][1]["f1"]["value"] == pytest.approx(6 / 7)
    assert answer["macro"]["f1"]["value"] == pytest.approx(3 / 7)
    assert set(answer["weighted"]) == {"precision", "recall", "f1"}
    [group] = answer["groups"]
    assert group.pop("group") == 1
    assert group == {name: answer[name] for name in group}
    assert set(answer["window"]) == {"from", "to"}


def test_quality_of_nothing_is_null_not_nan(api: APIClient) -> None:
    answer = api.get(QUALITY)
    assert b"NaN" not in answer.content
    body = answer.json()
    assert body["accuracy"] == body["macro"]["f1"] == {"value": None, "low": None, "high": None}
    assert (body["n_predicted"], body["coverage"], body["classes"]) == (0, None, [])


def test_quality_states_the_window_it_used(api: APIClient) -> None:
    query = {"from": "2026-11-20T10:00:59Z", "to": "2026-11-21T10:00:01+01:00", "by": "hour"}
    window = api.get(QUALITY, query).json()["window"]
    assert window == {"from": "2026-11-20T10:00:00Z", "to": "2026-11-21T09:01:00Z"}


def test_groups_of_time_are_named_like_the_window(api: APIClient) -> None:
    recent()
    [group] = api.get(QUALITY, {"by": "day"}).json()["groups"]
    assert group["group"].endswith("T00:00:00Z")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"from": "yesterday"}, "invalid_window"),
        ({"from": "2026-11-21", "to": "2026-11-20"}, "invalid_window"),
        ({"from": "2026-01-01", "to": "2026-11-20", "by": "minute"}, "invalid_window"),
        ({"by": "week"}, "invalid_filter"),
        ({"version": "one"}, "invalid_filter"),
        ({"version": "0"}, "invalid_filter"),
        ({"version": "99999999999999999999"}, "invalid_filter"),
        ({"version": "²"}, "invalid_filter"),
        ({"source": "me"}, "invalid_filter"),
        ({"form": "2026-11-21"}, "invalid_filter"),
        ({"segment": "a\x00b"}, "invalid_filter"),
        ({"segment": "x" * 300}, "invalid_filter"),
    ],
)
def test_a_wrong_quality_parameter_is_named(
    api: APIClient, query: dict[str, str], code: str
) -> None:
    answer = api.get(QUALITY, query)
    assert (answer.status_code, code_of(answer)) == (422, code)
    assert answer.json()["error"]["details"]["field"]


@pytest.mark.parametrize(
    "query", [{"labelled": "maybe"}, {"modell": "x"}, {"model": "a\x00"}, {"version": "-1"}]
)
def test_a_wrong_predictions_filter_is_named(api: APIClient, query: dict[str, str]) -> None:
    answer = api.get("/api/v1/predictions", query)
    assert (answer.status_code, code_of(answer)) == (422, "invalid_filter")


def test_quality_of_an_unknown_model_or_version_is_not_found(api: APIClient) -> None:
    assert code_of(api.get("/api/v1/models/acme/none/quality")) == "model_not_found"
    assert code_of(api.get(QUALITY, {"version": 7})) == "version_not_found"


def test_the_schema_describes_every_endpoint(capsys: pytest.CaptureFixture[str]) -> None:
    # Without the hooks that add the other plane: only this app's views are looked at.
    with patched_settings({"POSTPROCESSING_HOOKS": [], "PREPROCESSING_HOOKS": []}):
        generator = SchemaGenerator(urlconf="tests.monitoring.urls")
        schema = generator.get_schema(request=None, public=True)
    assert capsys.readouterr().err == ""
    validate_schema(schema)
    assert {"/api/v1/feedback", "/api/v1/predictions", "/feedback"} <= set(schema["paths"])
    quality = schema["components"]["schemas"]["Quality"]["properties"]
    assert {"window", "accuracy", "macro", "groups"} <= set(quality)
