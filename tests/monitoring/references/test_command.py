"""`manage.py reference`."""

import gzip
import io
import json
import time
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from monitoring.management.commands import reference as command
from monitoring.models import ReferenceChunk
from monitoring.references import services, upkeep
from tests.monitoring.builders import register
from tests.monitoring.references.builders import LATER, MODEL, NOW, N, run_all, texts

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _registered() -> None:
    register()


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "texts.jsonl.gz"
    lines = [json.dumps({"body": row.text, "stars": row.label}) for row in texts()]
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return str(path)


def run(*arguments: object) -> str:
    out = io.StringIO()
    call_command("reference", MODEL, *map(str, arguments), stdout=out)
    return out.getvalue()


def test_a_file_is_queued(file: str) -> None:
    shown = run(file, "-n", 1, "--text-column", "body", "--label-column", "stars")
    assert f"version 1  texts  queued  0 of {N}" in shown
    assert ReferenceChunk.objects.order_by("index")[0].inputs[0] == [
        "the text number 0",
        "NEGATIVE",
    ]


def test_waiting_ends_when_it_is_ready(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: run_all() and None)
    shown = run(file, "-n", 1, "--text-column", "body", "--label-column", "stars", "--wait")
    assert f"ready  {N} items, {N} labelled, macro F1 0." in shown


def test_waiting_for_a_server_that_is_not_there_has_an_end(file: str) -> None:
    row = services.ask_with_texts(MODEL, 1, texts(), actor="a", now=NOW)
    ticks = iter(range(0, 10_000, 50))
    with pytest.raises(CommandError, match=r"Is .manage\.py serve. running"):
        command._wait(row, sleep=lambda seconds: None, clock=lambda: next(ticks))


def test_listing_activating_and_cancelling() -> None:
    assert run("--list") == f"{MODEL} has no references yet\n"
    rows = [services.ask_with_texts(MODEL, 1, texts(), actor="a", now=NOW) for _ in range(2)]
    run_all()
    upkeep.advance(now=LATER)
    assert run("--activate", rows[0].pk, "--note", "why").startswith(f"* {rows[0].pk} ")
    waiting = services.ask_with_accepted(MODEL, 1, 300, actor="a", now=NOW)
    assert "collecting  0 of 300" in run("--list")
    assert "cancelled" in run("--cancel", waiting.pk)


def test_predictions_to_come_are_asked_for() -> None:
    assert "accepted  collecting  0 of 250" in run("--accepted", 250, "-n", 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Name a file of texts"),
        (("absent.csv",), "cannot be read"),
        (("--shipped", "-n", "1"), r"no reference\.json"),
        (("--accepted", "3", "-n", "1"), "200 to 20000"),
        (("--activate", "99"), "has no reference 99"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        run(*arguments)
