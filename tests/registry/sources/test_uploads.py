"""Archives over HTTP: streamed, checked as directories are, worked at once or queued."""

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.testclient import TestClient

from access.asgi import admit
from access.entrance import use_gate
from access.gate import Gate
from access.keyring import KeyFacts, KeyRing, digest_of
from access.ratelimit import make_limiter
from access.scopes import Scope
from inference.http.errors import body_of, headers_of, status_of
from registry import services, tasks, uploads
from registry.models import Operation, Version
from registry.queries import load_live_version
from registry.services import archives, operations
from tests.registry.builders import build_model_dir
from tests.registry.sources.archives import gz, tar_of, zip_of

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/v1/models/team/tiny/archive"
KEYS = {
    name: KeyFacts(id=name, name=name, scopes=frozenset(scopes))
    for name, scopes in {
        "pusher.key": {Scope.PUSH},
        "owner.key": {Scope.ADMIN},
        "reader.key": {Scope.READ},
    }.items()
}


@pytest.fixture
def client() -> Iterator[TestClient]:
    def refuse(error):
        return JSONResponse(body_of(error), status_of(error), headers_of(error))

    keys = {digest_of(key): facts for key, facts in KEYS.items()}
    with use_gate(Gate(KeyRing(lambda: keys), make_limiter("1000/second"))):
        app = Starlette(routes=uploads.routes(admit, refuse))
        with TestClient(app, headers={"Authorization": "Bearer pusher.key"}) as client:
            yield client


@pytest.fixture
def model(tmp_path) -> Path:
    return build_model_dir(tmp_path / "model")


@pytest.fixture
def left(store):
    """What lies in the folder of uploads."""
    return lambda: sorted(path.name for path in (store.root / "archives").glob("*"))


def code_of(answer) -> str:
    return answer.json()["error"]["code"]


@pytest.mark.parametrize("pack", [tar_of, zip_of, lambda folder: gz(tar_of(folder))])
def test_a_small_archive_is_a_version_at_once(client, model, left, pack):
    answer = client.post(f"{URL}?note=by+hand", content=pack(model))
    assert answer.status_code == 201, answer.text
    found, version = answer.json(), Version.objects.get()
    spec = services.register_directory(model, "team/other", actor="alice")
    assert (found["model"], found["version"]) == ("team/tiny", 1)
    assert found["digest"] == spec.digest
    assert (version.source, version.note) == ("archive", "by hand")
    assert version.created_by == "pusher.key (pusher.key)"
    assert answer.headers["location"] == f"/api/v1/operations/{Operation.objects.get().pk}"
    assert left() == []


def test_the_same_archive_again_changes_nothing(client, model):
    first, second = (client.post(URL, content=zip_of(model)).json() for _ in range(2))
    assert (first["is_new"], second["is_new"], second["version"]) == (True, False, 1)


def test_a_form_with_a_file_and_fields_is_taken(client, model):
    answer = client.post(
        URL,
        files={"file": ("model.zip", zip_of(model))},
        data={"note": "gewählt", "pooling": "cls", "csrf": "whatever"},
    )
    assert answer.status_code == 201, answer.text
    version = Version.objects.get()
    assert (version.note, version.pooling) == ("gewählt", "cls")


def test_a_large_archive_is_queued_and_worked_later(client, model, left, monkeypatch):
    monkeypatch.setattr(uploads, "INLINE_BYTES", 10)
    answer = client.post(URL, content=zip_of(model))
    assert answer.status_code == 202
    operation = Operation.objects.get()
    assert answer.json()["id"] == str(operation.pk)
    assert (answer.json()["state"], len(left())) == ("queued", 1)
    json.dumps(answer.json())
    tasks.work_on.call(str(operation.pk))
    operation.refresh_from_db()
    assert (operation.state, operation.result["version"]) == ("done", 1)
    assert left() == []


def test_promoting_at_once_needs_the_scope(client, model, left):
    answer = client.post(f"{URL}?promote=true", content=zip_of(model))
    assert (answer.status_code, code_of(answer)) == (403, "scope_missing")
    assert not Version.objects.exists()
    assert left() == []
    owner = {"Authorization": "Bearer owner.key"}
    assert (
        client.post(f"{URL}?promote=true", content=zip_of(model), headers=owner).status_code == 201
    )
    assert load_live_version("team/tiny").number == 1


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Authorization": "Bearer reader.key"}, "scope_missing"),
        ({"Authorization": "Bearer nobody.key"}, "invalid_key"),
        ({"Authorization": ""}, "missing_key"),
        ({"X-Upload-Ticket": "forged"}, "invalid_key"),
    ],
)
def test_who_may_not_push_is_refused(client, model, headers, code):
    answer = client.post(URL, content=zip_of(model), headers=headers)
    assert code_of(answer) == code
    assert not Operation.objects.exists()


def test_a_ticket_lets_an_administrator_upload_for_an_hour(client, model, monkeypatch):
    user = get_user_model().objects.create_superuser("root")
    headers = {"Authorization": "", "X-Upload-Ticket": uploads.make_ticket(user.pk)}
    answer = client.post(f"{URL}?promote=on", content=zip_of(model), headers=headers)
    assert answer.status_code == 201, answer.text
    assert Version.objects.get().created_by == "root (admin)"
    monkeypatch.setattr(uploads, "TICKET_S", -1)
    assert code_of(client.post(URL, content=b"", headers=headers)) == "invalid_key"


def test_a_ticket_of_an_account_without_the_right_is_refused(client, model):
    user = get_user_model().objects.create_user("mallory", is_staff=True)
    headers = {"Authorization": "", "X-Upload-Ticket": uploads.make_ticket(user.pk)}
    assert code_of(client.post(URL, content=b"", headers=headers)) == "invalid_key"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        (f"{URL}?pooling=sum", "invalid_field"),
        (f"{URL}?note={'x' * 501}", "invalid_field"),
        (f"{URL}?promote=perhaps", "invalid_field"),
        ("/api/v1/models/admin/tiny/archive", "invalid_name"),
        ("/api/v1/models/team/a--b/archive", "invalid_name"),
    ],
)
def test_wrong_wishes_are_refused(client, model, left, url, code):
    answer = client.post(url, content=zip_of(model))
    assert (answer.status_code, code_of(answer)) == (422, code)
    assert left() == []


def test_what_may_not_enter_is_refused_and_leaves_nothing(client, model, left, store):
    (model / "pytorch_model.bin").write_bytes(b"\x80\x02K\x01.")
    answer = client.post(URL, content=zip_of(model))
    assert (answer.status_code, code_of(answer)) == (422, "content_refused")
    assert code_of(client.post(URL, content=b"no archive")) == "archive_refused"
    assert code_of(client.post(URL, content=b"")) == "archive_refused"
    assert left() == []
    assert list(store.stagings.iterdir()) == []
    assert not Version.objects.exists()
    assert {row.state for row in Operation.objects.all()} == {"failed"}


def test_an_archive_that_does_not_fit_is_refused_before_its_bytes(client, model, monkeypatch, left):
    monkeypatch.setattr(uploads, "SPARE_BYTES", 2**60)
    answer = client.post(URL, content=zip_of(model))
    assert (answer.status_code, code_of(answer)) == (507, "store_full")
    assert left() == []


def test_an_archive_that_is_too_large_is_cut_off(client, model, monkeypatch, left):
    monkeypatch.setattr(uploads, "MAX_ARCHIVE_BYTES", 100)
    answer = client.post(URL, content=(piece for piece in [b"x" * 60] * 100))
    assert (answer.status_code, code_of(answer)) == (413, "body_too_large")
    assert left() == []


FORMS = {
    "no boundary": (b"x", "multipart/form-data"),
    "not its boundary": (b"--y\r\n", "multipart/form-data; boundary=x"),
    "empty": (b"", "multipart/form-data; boundary=x"),
    "cut in a head": (b"--x\r\nContent-Disposition: form-data", "multipart/form-data; boundary=x"),
    "cut in a part": (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc',
        "multipart/form-data; boundary=x",
    ),
    "no name": (b"--x\r\nX: y\r\n\r\nabc\r\n--x--", "multipart/form-data; boundary=x"),
    "no file": (
        b'--x\r\nContent-Disposition: form-data; name="note"\r\n\r\nabc\r\n--x--\r\n',
        "multipart/form-data; boundary=x",
    ),
    "two files": (
        b'--x\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\nabc\r\n' * 2
        + b"--x--",
        "multipart/form-data; boundary=x",
    ),
    "many parts": (
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nabc\r\n' * 50 + b"--x--",
        "multipart/form-data; boundary=x",
    ),
    "a long field": (
        b'--x\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\nabc\r\n'
        b'--x\r\nContent-Disposition: form-data; name="note"\r\n\r\n' + b"a" * 5000 + b"\r\n--x--",
        "multipart/form-data; boundary=x",
    ),
    "a long head": (
        b"--x\r\n" + b"a" * 10_000 + b"\r\n\r\n--x--",
        "multipart/form-data; boundary=x",
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_form_that_is_none_is_refused(client, left, name):
    body, kind = FORMS[name]
    answer = client.post(URL, content=body, headers={"Content-Type": kind})
    assert (answer.status_code, code_of(answer)) == (422, "invalid_field"), answer.text
    assert left() == []


def test_an_upload_that_is_gone_says_so(store):
    operation = operations.start(
        "archive",
        "an archive",
        actor="alice",
        parameters={**archives.check_upload("team/tiny"), "upload": "0" * 32},
    )
    tasks.work_on.call(str(operation))
    assert "upload it again" in Operation.objects.get().message


def test_old_uploads_are_removed(store, left, monkeypatch):
    _, path = archives.make_upload()
    path.write_bytes(b"x")
    archives.make_upload()
    assert left() == [path.name]
    monkeypatch.setattr(archives, "KEPT_S", -1.0)
    archives.make_upload()
    assert left() == []


def test_the_command_takes_an_archive(tmp_path, model):
    (tmp_path / "model.tar.gz").write_bytes(gz(tar_of(model, "tiny")))
    out = StringIO()
    call_command("register", str(tmp_path / "model.tar.gz"), "team/tiny", stdout=out)
    assert out.getvalue().startswith("registered team/tiny version 1 (text-classification")
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(CommandError, match="cut short"):
        call_command("register", str(tmp_path / "bad.zip"), "team/tiny")
