"""Whatever goes wrong in a view, its caller sees one shape."""

import pytest
from django.db import OperationalError
from django.http import Http404
from rest_framework import exceptions

from config.exceptions import handle, translate
from inference.http.errors import STATUS
from monitoring.errors import PredictionNotFound


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PredictionNotFound("There is none."), "prediction_not_found"),
        (OperationalError("away"), "database_unavailable"),
        (exceptions.ValidationError({"name": ["This field is required."]}), "invalid_request"),
        (exceptions.ParseError("JSON parse error"), "invalid_json"),
        (exceptions.MethodNotAllowed("PUT"), "method_not_allowed"),
        (exceptions.UnsupportedMediaType("text/plain"), "unsupported_media_type"),
        (exceptions.NotAuthenticated(), "missing_key"),
        (exceptions.PermissionDenied(), "scope_missing"),
        (Http404(), "not_found"),
    ],
)
def test_known_errors_get_their_code_and_status(error, code):
    response = handle(error, {})
    assert response.data["error"]["code"] == code
    assert response.status_code == STATUS[code]
    assert response.data["error"]["message"]


def test_a_validation_error_names_the_field():
    error = exceptions.ValidationError({"reason": [{"inner": ["Too long."]}]})
    assert translate(error).message == "reason.inner: Too long."


def test_a_bug_is_left_to_django():
    assert handle(ZeroDivisionError(), {}) is None


def test_classic_views_keep_the_detail_of_old_clients():
    view = type("View", (), {"dialect": "classic"})()
    response = handle(PredictionNotFound("There is none."), {"view": view})
    assert response.data["detail"] == "There is none."


def test_a_database_that_is_away_says_when_to_come_back():
    assert int(handle(OperationalError("away"), {})["Retry-After"]) >= 1


def test_a_foreign_host_is_told_which_setting_lets_it_in(client):
    response = client.get("/api/v1/models", headers={"host": "models.example"})
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "host_not_allowed"
    assert "BELLWETHER_ALLOWED_HOSTS" in response.json()["error"]["message"]


def test_a_path_that_is_not_there_is_a_404_in_the_one_shape(client):
    response = client.get("/api/v1/nonsense")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"
