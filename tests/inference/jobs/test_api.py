"""Jobs over REST and in the admin: seen by whom they belong to, paused, resumed, ended."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from access.services import create_key
from inference.errors import JobNotFound
from inference.jobs import files, services, storage
from inference.jobs.files import Order
from inference.jobs.looking import Wanted
from inference.jobs.models import Job, JobFile, JobState
from inference.jobs.rows import Format, Place
from tests.access.people import make_person
from tests.inference.jobs.conftest import MODEL

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("home")]
JOBS = "/api/v1/jobs"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def api_client(*scopes: str) -> tuple[APIClient, str]:
    _, key = create_key("tests", list(scopes))
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
    return api, key.partition(".")[0]


def make_job(key_id: str, data: bytes = b"good\nbad\n", format: str = "text", now=NOW) -> UUID:
    incoming = storage.make_incoming(files.get_root())
    incoming.write_bytes(data)
    order = Order(MODEL, Wanted(Format(format)), True, key_id, "request")
    return files.create(order, incoming, now=now)


def work_half(job_id: UUID) -> None:
    """As a serving process leaves a job: one of two lines answered, in ten seconds."""
    claim = services.claim("a", now=NOW, sees=files.sees)
    assert claim.id == job_id
    folder = storage.folder_of(files.get_root(), job_id)
    storage.begin(folder, "s")
    n_results = storage.append(folder.results("s"), 0, b"head\nfirst\n")
    n_errors = storage.append(folder.errors("s"), 0, b'{"line": 2}\n')
    progress = files.Progress(Place(5, 1), (storage.Segment("s", n_results, n_errors),), 5)
    assert files.keep_chunk(
        claim, progress, n_done=1, n_failed=1, labels=(), worked_s=10.0, now=NOW
    )


def code(response) -> str:
    return response.json()["error"]["code"]


def body_of(response) -> bytes:
    return b"".join(response.streaming_content)


def test_a_job_says_how_far_it_is_and_how_long_it_will_take():
    api, key_id = api_client("predict")
    job_id = make_job(key_id)
    work_half(job_id)
    found = api.get(f"{JOBS}/{job_id}").json()
    assert found["id"] == str(job_id)
    assert (found["state"], found["format"], found["n_inputs"]) == ("running", "text", None)
    assert (found["n_done"], found["n_failed"], found["rate"]) == (1, 1, 0.2)
    assert found["share"] == pytest.approx(5 / 9)
    assert found["eta_s"] == pytest.approx(8.0)
    assert (found["created_at"], found["finished_at"]) == ("2026-01-02T03:04:05Z", None)


def test_results_and_errors_are_sent_as_far_as_they_count():
    api, key_id = api_client("predict")
    job_id = make_job(key_id)
    work_half(job_id)
    with storage.folder_of(files.get_root(), job_id).results("s").open("ab") as file:
        file.write(b"of a chunk that does not count yet")
    answer = api.get(f"{JOBS}/{job_id}/results")
    assert body_of(answer) == b"head\nfirst\n"
    assert answer["Content-Disposition"] == f'attachment; filename="job-{job_id}.tsv"'
    assert body_of(api.get(f"{JOBS}/{job_id}/errors")) == b'{"line": 2}\n'


def test_a_process_without_the_files_says_so():
    api, key_id = api_client("predict")
    job_id = make_job(key_id)
    work_half(job_id)
    storage.folder_of(files.get_root(), job_id).remove()
    answer = api.get(f"{JOBS}/{job_id}/results")
    assert (answer.status_code, code(answer)) == (500, "job_files_lost")


def test_results_of_inline_texts_are_json_lines():
    api, key_id = api_client("predict")
    job_id = services.create_job(MODEL, ["a", "b"], key_id=key_id, request_id="r", now=NOW)
    claim = services.claim("a", now=NOW)
    services.finish_chunk(claim, 0, [{"text": "a"}, {"text": "b"}], now=NOW)
    services.complete(claim, now=NOW)
    lines = body_of(api.get(f"{JOBS}/{job_id}/results")).splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["a", "b"]
    assert api.get(f"{JOBS}/{job_id}").json()["format"] == "inline"
    assert body_of(api.get(f"{JOBS}/{job_id}/errors")) == b""


def test_a_key_sees_its_own_jobs_and_an_administrator_all():
    api, key_id = api_client("predict")
    boss, _ = api_client("admin")
    mine, other = make_job(key_id), make_job("other", now=NOW + timedelta(seconds=1))
    assert [row["id"] for row in api.get(JOBS).json()["results"]] == [str(mine)]
    assert [row["id"] for row in boss.get(JOBS).json()["results"]] == [str(other), str(mine)]
    for path in ("", "/results", "/errors"):
        assert code(api.get(f"{JOBS}/{other}{path}")) == "job_not_found"
    for act in ("pause", "resume", "cancel"):
        assert code(api.post(f"{JOBS}/{other}/{act}")) == "job_not_found"
    assert boss.get(f"{JOBS}/{other}").status_code == 200
    assert code(api.get(f"{JOBS}/{uuid4()}")) == "job_not_found"


def test_lists_are_filtered_and_walked_page_by_page():
    boss, _ = api_client("admin")
    ids = [make_job("k", now=NOW + timedelta(seconds=n)) for n in range(3)]
    services.pause(ids[1], now=NOW)
    page = boss.get(JOBS, {"limit": 2}).json()
    assert [row["id"] for row in page["results"]] == [str(ids[2]), str(ids[1])]
    assert [row["id"] for row in boss.get(page["next"]).json()["results"]] == [str(ids[0])]
    assert [row["id"] for row in boss.get(JOBS, {"state": "paused"}).json()["results"]] == [
        str(ids[1])
    ]
    assert boss.get(JOBS, {"model": "team/other"}).json()["results"] == []
    assert code(boss.get(JOBS, {"state": "odd"})) == "invalid_request"


def test_acts_change_the_state_and_say_when_they_cannot():
    api, key_id = api_client("predict")
    job_id = make_job(key_id)
    states = [
        api.post(f"{JOBS}/{job_id}/{act}").json()["state"] for act in ("pause", "resume", "cancel")
    ]
    assert states == ["paused", "queued", "cancelled"]
    answer = api.post(f"{JOBS}/{job_id}/resume")
    assert (answer.status_code, code(answer)) == (409, "job_conflict")


def test_a_job_that_runs_says_what_was_asked_of_it():
    api, key_id = api_client("predict")
    job_id = make_job(key_id)
    assert services.claim("a", now=datetime.now(UTC), sees=files.sees)
    found = api.post(f"{JOBS}/{job_id}/pause").json()
    assert (found["state"], found["asked"]) == ("running", "pause")
    found = api.post(f"{JOBS}/{job_id}/resume").json()
    assert (found["state"], found["asked"]) == ("running", "")


def test_parquet_can_be_read_once_it_is_complete(tmp_path):
    from tests.inference.jobs.files import parquet_of

    api, key_id = api_client("predict")
    job_id = make_job(key_id, parquet_of(tmp_path / "p", {"text": ["a"]}), "parquet")
    assert code(api.get(f"{JOBS}/{job_id}/results")) == "job_conflict"


@pytest.mark.parametrize("path", ["", "/results", "/errors"])
def test_without_the_scope_nothing_is_told(path):
    api, key_id = api_client("read")
    assert code(api.get(f"{JOBS}/{make_job(key_id)}{path}")) == "scope_missing"
    assert APIClient().get(JOBS).status_code == 401


def test_a_failed_job_of_a_file_can_go_on():
    api, key_id = api_client("predict")
    job_id = make_job(key_id)
    Job.objects.filter(pk=job_id).update(
        state=JobState.FAILED, error_code="job_gave_up", finished_at=NOW, n_attempts=5
    )
    found = api.post(f"{JOBS}/{job_id}/resume").json()
    assert (found["state"], found["error_code"], found["finished_at"]) == ("queued", "", None)


def browser(role: str) -> Client:
    client = Client()
    client.force_login(make_person(role))
    return client


LIST = "admin:inference_job_changelist"


def test_an_operator_pauses_resumes_and_cancels_in_the_admin():
    client, job_id = browser("operator"), make_job("k")
    for act, state in (("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled")):
        form = {"action": act, "_selected_action": [str(job_id)]}
        assert client.post(reverse(LIST), form).status_code == 302
        assert Job.objects.get().state == state
    answer = client.post(
        reverse(LIST), {"action": "resume", "_selected_action": [str(job_id)]}, follow=True
    )
    assert "A job that is cancelled cannot be resumed." in answer.content.decode()


def test_an_operator_finds_the_page_to_predict_a_file():
    page = browser("operator").get(reverse("admin:inference_job_upload_file")).content.decode()
    assert f'value="{MODEL}"' in page
    assert 'data-ticket="session.' in page
    assert "job_upload.js" in page


def test_a_viewer_looks_and_does_nothing():
    client, job_id = browser("viewer"), make_job("k")
    work_half(job_id)
    page = client.get(reverse(LIST)).content.decode()
    assert "55 %, 2 rows" in page
    assert "Predict a file" not in page
    assert client.get(reverse("admin:inference_job_upload_file")).status_code == 403
    client.post(reverse(LIST), {"action": "cancel", "_selected_action": [str(job_id)]})
    assert Job.objects.get().state == "running"


def test_the_page_of_a_job_shows_its_progress_and_leads_to_its_files():
    client, job_id = browser("viewer"), make_job("k")
    work_half(job_id)
    page = client.get(reverse("admin:inference_job_change", args=[job_id])).content.decode()
    for what in ("results", "errors"):
        link = reverse("admin:inference_job_download", args=[job_id, what])
        assert link in page
        assert body_of(client.get(link))
    assert Client().get(link).status_code == 302


def test_files_that_are_gone_are_told_in_the_admin():
    client, job_id = browser("viewer"), make_job("k")
    work_half(job_id)
    storage.folder_of(files.get_root(), job_id).remove()
    link = reverse("admin:inference_job_download", args=[job_id, "results"])
    assert "are not on this server" in client.get(link, follow=True).content.decode()


def test_the_number_of_rows_in_a_list_costs_no_more_queries(django_assert_max_num_queries):
    boss, _ = api_client("admin")
    for n in range(10):
        make_job("k", now=NOW + timedelta(seconds=n))
    assert JobFile.objects.count() == 10
    with django_assert_max_num_queries(6):
        assert len(boss.get(JOBS).json()["results"]) == 10


def test_the_classic_dialect_sends_whoever_asks_for_a_files_job_to_the_right_place():
    job_id = make_job("k")
    with pytest.raises(JobNotFound, match=f"GET /api/v1/jobs/{job_id}"):
        services.load_job(str(job_id), key_id="k", now=NOW)
