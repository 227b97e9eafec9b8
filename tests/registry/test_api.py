import json
from pathlib import Path

import pytest
from rest_framework.test import APIClient

from access.services import create_key
from registry import services
from registry.models import Event, Version

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.registry.urls")]
MODELS = "/api/v1/models"
TINY = f"{MODELS}/team/tiny"


def client(*scopes: str) -> APIClient:
    _, key = create_key("tests", list(scopes))
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
    return api


@pytest.fixture
def reader() -> APIClient:
    return client("read")


@pytest.fixture
def promoter() -> APIClient:
    return client("read", "promote")


def code(response) -> str:
    return response.json()["error"]["code"]


def test_a_model_is_made_empty_and_read_back(reader):
    made = client("push").post(MODELS, {"name": "team/new", "description": "d"}, format="json")
    assert made.status_code == 201
    expected = {
        "name": "team/new",
        "description": "d",
        "n_versions": 0,
        "pinned": False,
        "live_version": None,
        "digest": None,
        "task": None,
        "labels": None,
        "pooling": None,
        "generation": 1,
        "guide": None,
    }
    for answer in (made, reader.get(f"{MODELS}/team/new")):
        body = answer.json()
        assert body.pop("created_at").endswith("Z")
        assert body == expected
    assert Event.objects.get().actor.startswith("tests (")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"name": "new"}, "invalid_name"),
        ({"name": "api/new"}, "invalid_name"),
        ({"name": "team/tiny"}, "model_exists"),
        ({"name": "Team/Tiny"}, "model_exists"),
    ],
)
def test_a_wrong_or_taken_name_is_refused(register, body, expected):
    register(1)
    assert code(client("push").post(MODELS, body, format="json")) == expected


@pytest.mark.parametrize(
    "body",
    [{}, {"name": None}, {"name": 1.5e300}, {"name": ["a/b"]}, {"name": "a/b" * 99}, [], "x"],
)
def test_a_body_of_another_shape_is_refused(body):
    answer = client("push").post(MODELS, body, format="json")
    assert 400 <= answer.status_code < 500
    assert code(answer)


def test_models_are_listed_in_pages(register, reader):
    for n in range(3):
        register(1, name=f"team/m{n}")
    first = reader.get(f"{MODELS}?limit=2").json()
    assert [row["name"] for row in first["results"]] == ["team/m2", "team/m1"]
    second = reader.get(first["next"]).json()
    assert [row["name"] for row in second["results"]] == ["team/m0"]


def test_a_model_shows_its_live_version(register, reader):
    register(1)
    spec = register(2)
    services.promote("team/tiny", 2, actor="alice")
    body = reader.get(TINY).json()
    assert (body["n_versions"], body["live_version"], body["generation"]) == (2, 2, 2)
    assert body["digest"] == spec.digest
    assert body["labels"] == ["NEGATIVE", "POSITIVE"]
    assert body["task"] == "text-classification"


def test_a_version_shows_its_files(register, reader):
    register(1)
    spec = register(2)
    rows = reader.get(f"{TINY}/versions").json()["results"]
    assert [(row["version"], row["is_live"], row["state"]) for row in rows] == [
        (2, False, "sealed"),
        (1, False, "sealed"),
    ]
    body = reader.get(f"{TINY}/versions/2").json()
    assert body["digest"] == spec.digest
    assert [f["path"] for f in body["files"]] == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert sum(f["size"] for f in body["files"]) == body["n_bytes"]
    assert {len(f["sha256"]) for f in body["files"]} == {64}


def test_versions_are_promoted_rolled_back_and_retired(register, promoter):
    for seed in (1, 2):
        register(seed)
        answer = promoter.post(f"{TINY}/versions/{seed}/promote", {"reason": "r"}, format="json")
        assert (answer.status_code, answer.json()["is_live"]) == (200, True)
    assert promoter.get(f"{TINY}/routes").json() == {
        "stickiness": "key",
        "routes": [
            {
                "version": 2,
                "digest": Version.objects.get(number=2).digest,
                "mode": "live",
                "weight": 100,
                "position": 0,
            }
        ],
    }
    assert promoter.post(f"{TINY}/rollback").json()["version"] == 1
    assert promoter.post(f"{TINY}/versions/2/retire").json()["state"] == "retired"
    assert code(promoter.post(f"{TINY}/versions/1/retire")) == "version_is_live"
    assert code(promoter.post(f"{TINY}/versions/2/promote")) == "version_not_routable"
    assert code(promoter.post(f"{TINY}/rollback")) == "nothing_to_roll_back"
    events = promoter.get(f"{TINY}/events").json()["results"]
    assert [event["kind"] for event in events][:3] == [
        "retired",
        "rolled_back",
        "promoted",
    ]
    assert (events[1]["from_version"], events[1]["to_version"]) == (2, 1)
    assert (events[2]["reason"], events[2]["actor"].startswith("tests (")) == ("r", True)


def test_a_verification_reports_what_it_found(register, promoter):
    spec = register(1)
    body = promoter.post(f"{TINY}/versions/1/verify").json()
    assert body == {
        "model": "team/tiny",
        "version": 1,
        "state": "sealed",
        "is_sound": True,
        "missing": [],
        "damaged": [],
        "extra": [],
    }
    spec.view.chmod(0o755)
    (spec.view / "config.json").unlink()
    body = promoter.post(f"{TINY}/versions/1/verify").json()
    assert (body["state"], body["missing"]) == ("damaged", ["view: config.json"])


GETS = [
    "",
    "/versions",
    "/versions/1",
    "/routes",
    "/events",
]
POSTS = ["/versions/1/promote", "/versions/1/retire", "/versions/1/verify", "/rollback"]


@pytest.mark.parametrize("path", GETS + POSTS)
def test_without_a_key_nothing_is_told_or_done(register, path):
    register(1)
    method = APIClient().post if path in POSTS else APIClient().get
    answer = method(TINY + path)
    assert (answer.status_code, code(answer)) == (401, "missing_key")


@pytest.mark.parametrize("path", POSTS)
def test_reading_does_not_allow_changing(register, reader, path):
    register(1)
    answer = reader.post(TINY + path)
    assert (answer.status_code, code(answer)) == (403, "scope_missing")
    assert code(client("promote").post(MODELS, {"name": "a/b"}, format="json")) == "scope_missing"
    assert code(client("push").get(TINY)) == "scope_missing"


@pytest.mark.parametrize("path", GETS + POSTS)
def test_an_unknown_model_is_named_as_such(promoter, path):
    method = promoter.post if path in POSTS else promoter.get
    assert code(method(f"{MODELS}/team/none{path}")) == "model_not_found"


@pytest.mark.parametrize("path", ["/versions/9", "/versions/999999999"])
def test_an_unknown_version_is_named_as_such(register, reader, path):
    register(1)
    assert code(reader.get(TINY + path)) == "version_not_found"


@pytest.mark.parametrize(
    "path",
    [
        "/team/tiny/versions/0",
        "/team/tiny/versions/x",
        "/team/tiny/versions/9999999999",
        "/team/tiny/versions/-1",
        "/team/..",
        "/api/x",
        "/te%20am/x",
        "/team/x%00",
    ],
)
def test_a_path_that_can_name_nothing_is_not_found(reader, path):
    assert reader.get(MODELS + path).status_code == 404


@pytest.mark.parametrize("reason", ["x" * 501, None, {"a": 1}])
def test_a_wrong_reason_is_refused_and_nothing_changes(register, promoter, reason):
    register(1)
    answer = promoter.post(f"{TINY}/versions/1/promote", {"reason": reason}, format="json")
    assert 400 <= answer.status_code < 500
    assert not Event.objects.filter(kind="promoted").exists()


def test_no_answer_shows_a_server_path(register, promoter, tmp_path, home):
    spec = register(1)
    spec.view.chmod(0o755)
    (spec.view / "extra.txt").touch()
    answers = [promoter.get(TINY + path) for path in GETS]
    answers += [promoter.get(MODELS), *(promoter.post(TINY + path) for path in POSTS)]
    for answer in answers:
        text = json.dumps(answer.json())
        for secret in (str(tmp_path), str(home), str(Path.cwd())):
            assert secret not in text
