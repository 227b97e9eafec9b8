"""Files of jobs over HTTP: streamed, looked at, queued; nothing of a refused one stays."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.testclient import TestClient

from access.asgi import admit
from access.entrance import use_gate
from access.gate import Gate
from access.keyring import KeyFacts, KeyRing, digest_of
from access.ratelimit import make_limiter
from access.scopes import Scope
from config.middleware import Observed
from inference.http.errors import body_of, headers_of, status_of
from inference.jobs import files, uploads
from inference.jobs.models import Job, JobFile
from tests.inference.jobs.conftest import MODEL
from tests.inference.jobs.files import csv_of, packed, parquet_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("home")]
URL = f"/api/v1/models/{MODEL}/jobs"
CSV = csv_of([["id", "text", "y"], ["1", "good", "POSITIVE"]])
KEYS = {
    name: KeyFacts(id=name, name=name, scopes=frozenset(scopes))
    for name, scopes in {
        "caller.key": {Scope.PREDICT},
        "labeller.key": {Scope.PREDICT, Scope.FEEDBACK},
        "reader.key": {Scope.READ},
    }.items()
}


@pytest.fixture
def client() -> Iterator[TestClient]:
    def refuse(error):
        return JSONResponse(body_of(error), status_of(error), headers_of(error))

    keys = {digest_of(key): facts for key, facts in KEYS.items()}
    with use_gate(Gate(KeyRing(lambda: keys), make_limiter("1000/second"))):
        app = Observed(Starlette(routes=uploads.routes(admit, refuse)))
        with TestClient(app, headers={"Authorization": "Bearer caller.key"}) as client:
            yield client


def code_of(answer) -> str:
    return answer.json()["error"]["code"]


def left() -> list[Path]:
    return list((files.get_root() / "incoming").glob("*"))


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_file_is_a_job(client, is_packed):
    data = packed(CSV) if is_packed else CSV
    answer = client.post(URL, content=data, headers={"Content-Type": "text/csv; charset=utf-8"})
    assert answer.status_code == 202, answer.text
    shown, file = answer.json(), JobFile.objects.select_related("job").get()
    assert (shown["id"], shown["state"], shown["format"]) == (str(file.pk), "queued", "csv")
    assert answer.headers["location"] == f"/api/v1/jobs/{file.pk}"
    assert (file.job.key_id, file.text_column, file.is_gzip) == ("caller.key", "text", is_packed)
    assert (files.get_root() / str(file.pk) / "input").read_bytes() == data
    assert left() == []


def test_a_form_with_a_file_and_fields_is_a_job(client):
    form = {"format": "csv", "text_column": "id", "keep_columns": "false"}
    answer = client.post(URL, files={"file": ("../../x.csv", CSV)}, data=form)
    assert answer.status_code == 202, answer.text
    file = JobFile.objects.get()
    assert (file.text_column, file.keeps_columns) == ("id", False)
    assert (files.get_root() / str(file.pk) / "input").read_bytes() == CSV


def test_a_list_of_texts_is_a_job(client):
    answer = client.post(URL, json={"inputs": ["good", {"text": "bad", "n": 1}]})
    assert answer.status_code == 202, answer.text
    file = JobFile.objects.get()
    lines = (files.get_root() / str(file.pk) / "input").read_text().splitlines()
    assert [json.loads(line) for line in lines] == ["good", {"text": "bad", "n": 1}]
    assert file.format == "jsonl"


def test_parquet_is_a_job_that_knows_its_rows(client, tmp_path):
    data = parquet_of(tmp_path / "p", {"text": ["a", "b"]})
    answer = client.post(f"{URL}?format=parquet", content=data)
    assert (answer.status_code, answer.json()["n_inputs"]) == (202, 2)


@pytest.mark.parametrize(
    ("query", "data", "status", "code"),
    [
        ("", CSV, 422, "invalid_request"),
        ("?format=xml", CSV, 422, "invalid_request"),
        ("?format=csv&keep_columns=perhaps", CSV, 422, "invalid_request"),
        ("?format=csv&path=/etc/passwd", CSV, 422, "unknown_parameter"),
        (f"?format=csv&text_column={'x' * 300}", CSV, 422, "invalid_request"),
        ("?format=csv&text_column=none", CSV, 422, "job_file_refused"),
        ("?format=csv", b"", 422, "job_file_refused"),
        ("?format=parquet", CSV, 422, "job_file_refused"),
        ("?format=csv", b"\x1f\x8b" + bytes(50), 422, "job_file_refused"),
        ("?format=csv&label_column=y", CSV, 403, "scope_missing"),
    ],
)
def test_what_may_not_be_is_refused_and_leaves_nothing(client, query, data, status, code):
    answer = client.post(URL + query, content=data)
    assert (answer.status_code, code_of(answer)) == (status, code)
    assert not Job.objects.exists()
    assert left() == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "invalid_json"),
        (b"[]", "invalid_request"),
        (b'{"inputs": []}', "invalid_request"),
        (b'{"inputs": [1]}', "invalid_request"),
        (b'{"inputs": ["a"], "file": "/etc/passwd"}', "unknown_parameter"),
    ],
)
def test_a_list_of_another_shape_is_refused(client, body, code):
    answer = client.post(URL, content=body, headers={"Content-Type": "application/json"})
    assert code_of(answer) == code
    assert left() == []


def test_labels_take_the_scope_to_give_them(client):
    headers = {"Authorization": "Bearer labeller.key"}
    answer = client.post(f"{URL}?format=csv&label_column=y", content=CSV, headers=headers)
    assert (answer.status_code, JobFile.objects.get().label_column) == (202, "y")


@pytest.mark.parametrize("is_announced", [True, False])
def test_a_larger_file_than_allowed_is_refused(client, settings, is_announced):
    settings.BELLWETHER_MAX_JOB_BYTES = 5_000
    data = b"text\n" + b"x\n" * 50_000
    content = data if is_announced else iter([data[:30_000], data[30_000:]])
    answer = client.post(f"{URL}?format=csv", content=content)
    assert (answer.status_code, code_of(answer)) == (413, "body_too_large")
    assert left() == []


def test_who_may_not_ask_models_may_start_no_job(client):
    answer = client.post(URL, content=CSV, headers={"Authorization": "Bearer reader.key"})
    assert code_of(answer) == "scope_missing"
    assert code_of(client.post(URL, headers={"Authorization": "Bearer x"})) == "invalid_key"


def test_a_model_that_is_not_there_is_named(client):
    answer = client.post("/api/v1/models/team/none/jobs?format=csv", content=CSV)
    assert (answer.status_code, code_of(answer)) == (404, "model_not_found")
