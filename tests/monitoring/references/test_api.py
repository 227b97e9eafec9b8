"""References over REST, in all the forms in which texts may come."""

import csv
import io
import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse

from access.scopes import Scope
from monitoring.models import Reference, ReferenceChunk
from monitoring.references import services, upkeep
from tests.monitoring.builders import client, register
from tests.monitoring.references.builders import LATER, MODEL, NOW, N, run_all, texts

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.monitoring.urls")]
PATH = f"/api/v1/models/{MODEL}/references"


@pytest.fixture(autouse=True)
def _registered() -> None:
    register()


def post(body: Any, **query: str) -> HttpResponse:
    return client(Scope.PROMOTE).post(
        f"{PATH}?{'&'.join(map('='.join, query.items()))}", body, "json"
    )


def code(response: Any) -> str:
    return str(response.json()["error"]["code"])


def stored_texts() -> list[tuple[str, str | None]]:
    chunks = ReferenceChunk.objects.order_by("index")
    return [(text, label) for chunk in chunks for text, label in chunk.inputs]


EXPECTED = [(row.text, row.label) for row in texts()]


def as_csv() -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["body", "stars"])
    writer.writerows(EXPECTED)
    return out.getvalue()


def as_jsonl() -> str:
    return "\n".join(json.dumps({"text": text, "label": label}) for text, label in EXPECTED)


def test_rows_as_json() -> None:
    rows = [{"text": text, "label": label} for text, label in EXPECTED]
    response = post({"version": 1, "rows": rows, "note": "May"})
    assert response.status_code == 201
    body = response.json()
    assert (body["state"], body["n_wanted"], body["note"]) == ("queued", N, "May")
    assert (body["created_by"], body["error"]) == ("tests (k-test)", None)
    assert stored_texts() == EXPECTED


def test_texts_alone_as_json() -> None:
    assert post({"version": 1, "texts": [text for text, _ in EXPECTED]}).status_code == 201
    assert {label for _, label in stored_texts()} == {None}


def test_a_file_in_a_form() -> None:
    file = SimpleUploadedFile("reviews.csv", as_csv().encode())
    form = {"file": file, "version": "1", "text_column": "body", "label_column": "stars"}
    response = client(Scope.PROMOTE).post(PATH, form, "multipart")
    assert response.status_code == 201, response.content
    assert stored_texts() == EXPECTED


@pytest.mark.parametrize("kind", ["application/x-ndjson", "application/jsonl"])
def test_json_lines_as_the_body(kind: str) -> None:
    response = client(Scope.PROMOTE).post(
        f"{PATH}?version=1&note=May", as_jsonl(), content_type=kind
    )
    assert response.status_code == 201, response.content
    assert (stored_texts(), response.json()["note"]) == (EXPECTED, "May")


def test_csv_as_the_body() -> None:
    query = "version=1&text_column=body&label_column=stars"
    response = client(Scope.PROMOTE).post(f"{PATH}?{query}", as_csv(), content_type="text/csv")
    assert response.status_code == 201, response.content
    assert stored_texts() == EXPECTED


def test_predictions_to_come() -> None:
    body = post({"version": 1, "origin": "accepted", "n": 500}).json()
    assert (body["state"], body["n_wanted"], body["origin"]) == ("collecting", 500, "accepted")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], ""),
        ({}, "texts"),
        ({"texts": "a"}, "texts"),
        ({"texts": ["a"], "rows": []}, "texts"),
        ({"texts": ["a"] * 300, "colour": 1}, "colour"),
        ({"texts": ["a"] * 300, "n": 3}, "n"),
        ({"texts": [3] * 300}, "text"),
        ({"texts": ["a"] * 3}, "texts"),
        ({"texts": ["a"] * 300, "version": "x"}, "version"),
        ({"texts": ["a"] * 300, "version": 0}, "version"),
        ({"texts": ["a"] * 300, "version": True}, "version"),
        ({"texts": ["a"] * 300, "note": 3}, "note"),
        ({"texts": ["a"] * 300, "origin": "guessed"}, "origin"),
        ({"origin": ["texts"], "texts": ["a"]}, "origin"),
        ({"origin": "accepted", "texts": ["a"]}, "texts"),
        ({"origin": "accepted", "n": "many"}, "n"),
        ({"origin": "accepted"}, "n"),
        ({"origin": "shipped", "n": 3}, "n"),
        ({"origin": "shipped"}, "origin"),
        ({"file": "not a file"}, ""),
    ],
)
def test_a_wrong_body_is_refused_with_the_field(body: Any, field: str) -> None:
    if isinstance(body, dict) and "version" not in body:
        body = body | {"version": 1}
    response = post(body)
    assert (response.status_code, code(response)) == (422, "invalid_reference")
    assert response.json()["error"]["details"]["field"] == field
    assert not Reference.objects.exists()


def test_a_label_of_another_model_is_refused_with_the_line() -> None:
    rows = [{"text": "a"}] * 250 + [{"text": "b", "label": "GREAT"}]
    response = post({"version": 1, "rows": rows})
    assert (response.status_code, code(response)) == (422, "unknown_label")
    assert response.json()["error"]["details"]["line"] == 251


def test_a_body_of_another_kind_is_refused() -> None:
    response = client(Scope.PROMOTE).post(PATH, b"<a/>", content_type="application/xml")
    assert response.status_code == 415


def test_a_form_without_a_file_or_with_an_odd_one_is_refused() -> None:
    response = client(Scope.PROMOTE).post(PATH, {"version": "1"}, "multipart")
    assert (response.status_code, code(response)) == (422, "invalid_reference")
    odd = {"file": SimpleUploadedFile("reviews.xlsx", b"a"), "version": "1"}
    response = client(Scope.PROMOTE).post(PATH, odd, "multipart")
    assert response.json()["error"]["details"]["field"] == "file"


def test_a_reference_is_listed_shown_activated_and_cancelled() -> None:
    promoter, reader = client(Scope.PROMOTE), client(Scope.READ)
    services.ask_with_texts(MODEL, 1, texts(), actor="a", now=NOW)
    services.ask_with_texts(MODEL, 1, texts(), actor="b", now=NOW)
    run_all()
    upkeep.advance(now=LATER)
    waiting = services.ask_with_texts(MODEL, 1, texts(), actor="c", now=NOW)
    listed = reader.get(PATH, {"version": 1}).json()["results"]
    assert [row["state"] for row in listed] == ["queued", "ready", "ready"]
    assert [row["is_active"] for row in listed] == [False, True, False]
    first = listed[2]["id"]
    shown = promoter.post(f"{PATH}/{first}/activate", {"reason": "why"}, "json").json()
    assert shown["is_active"]
    assert reader.get(f"{PATH}/{first}").json() == shown
    assert shown["summary"]["macro_f1"] > 0.5
    assert promoter.post(f"{PATH}/{waiting.pk}/cancel").json()["state"] == "cancelled"
    response = promoter.post(f"{PATH}/{waiting.pk}/activate")
    assert (response.status_code, code(response)) == (409, "reference_conflict")
    response = reader.get(f"{PATH}/{waiting.pk + 99}")
    assert (response.status_code, code(response)) == (404, "reference_not_found")
    assert reader.get(PATH, {"colour": 1}).status_code == 422


def test_only_who_may_promote_changes_what_traffic_is_compared_with() -> None:
    for path in (PATH, f"{PATH}/1/activate", f"{PATH}/1/cancel"):
        response = client(Scope.READ).post(path, {}, "json")
        assert (response.status_code, code(response)) == (403, "scope_missing")
    assert client(Scope.PREDICT).get(PATH).status_code == 403


def test_a_model_that_nobody_registered_has_no_references() -> None:
    response = client().get("/api/v1/models/no/model/references")
    assert (response.status_code, code(response)) == (404, "model_not_found")
