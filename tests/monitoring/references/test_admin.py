"""Asking for a reference in the admin."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from monitoring.models import Reference, ReferenceChunk
from registry import services
from registry.specs import VersionSpec
from tests.registry.conftest import home, register  # noqa: F401

pytestmark = pytest.mark.django_db

MODEL = "team/tiny"
PAGE = "/admin/monitoring/reference/make/"
TEXTS = "\n".join(f"text number {n}" for n in range(250))


@pytest.fixture
def model(register: Callable[..., VersionSpec]) -> str:  # noqa: F811
    register()
    services.promote(MODEL, 1, actor="alice")
    return MODEL


def post(client: Client, **fields: object):
    return client.post(PAGE, {"model": MODEL, "note": "from the admin", **fields}, follow=True)


def test_texts_in_the_field_become_a_queued_reference(admin_client: Client, model: str) -> None:
    answer = post(admin_client, texts=TEXTS)
    [row] = Reference.objects.all()
    assert (row.n_wanted, row.note, row.state) == (250, "from the admin", "queued")
    assert row.created_by == "admin (admin)"
    assert "250 texts are being run through team/tiny version 1" in answer.text


def test_a_file_with_labels_is_read_as_the_api_reads_it(admin_client: Client, model: str) -> None:
    lines = ["text,label", *(f"text {n},{('NEGATIVE', 'POSITIVE')[n % 2]}" for n in range(200))]
    post(admin_client, file=SimpleUploadedFile("reviews.csv", "\n".join(lines).encode()))
    inputs = [item for chunk in ReferenceChunk.objects.order_by("index") for item in chunk.inputs]
    assert inputs[1] == ["text 1", "POSITIVE"]
    assert len(inputs) == 200


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "Give a file, or texts in the field"),
        ({"texts": "too\nfew"}, "200"),
        ({"texts": TEXTS, "model": "team/other"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_made_says_why(
    admin_client: Client, model: str, fields: dict[str, str], words: str
) -> None:
    answer = post(admin_client, **fields)
    assert words in answer.text
    assert not Reference.objects.exists()


def test_a_file_of_another_kind_is_refused(admin_client: Client, model: str) -> None:
    answer = post(admin_client, file=SimpleUploadedFile("reviews.xlsx", b"PK"))
    assert "must end in .jsonl, .csv or .txt" in answer.text


def test_who_may_not_promote_gets_no_form(client: Client, model: str) -> None:
    client.force_login(User.objects.create_user("vera", is_staff=True))
    assert client.get(PAGE).status_code == 403
    assert post(client, texts=TEXTS).status_code == 403


def test_the_list_leads_to_the_form(admin_client: Client, model: str) -> None:
    page = admin_client.get(reverse("admin:monitoring_reference_changelist"))
    assert "Make a reference" in page.text
    assert "number" not in admin_client.get(PAGE).text
