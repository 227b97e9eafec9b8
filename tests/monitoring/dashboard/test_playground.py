"""The playground before anything is asked: whom one may ask, who may, and the code it shows."""

import json
import os
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitoring.dashboard.playground import Choice, load_playground
from registry.models import RegisteredModel, Replica
from tests.access.people import make_person
from tests.monitoring.builders import MODEL, register
from tests.monitoring.evaluating.builders import go_live

PATH = "/admin/playground/"
SNIPPETS = Path(__file__).resolve().parents[3] / "monitoring/static/dashboard/js/snippets.js"
NODE = shutil.which("node")


def in_memory(*states: tuple[int, str], age_s: float = 0.0, model: str = MODEL) -> None:
    versions = [{"version": number, "state": state} for number, state in states]
    Replica.objects.create(
        id=f"r{Replica.objects.count()}",
        heartbeat_at=timezone.now() - timedelta(seconds=age_s),
        is_ready=True,
        states={model: {"versions": versions}},
    )


@pytest.fixture
def served(db: None) -> None:
    """Version 2 is stable, 1 stands by, 3 lies on the disk."""
    for number in (1, 2, 3):
        register(number=number)
    go_live(2)
    in_memory((2, "active"), (1, "standby"), (3, "loading"))


def asked(**query: str) -> tuple[Choice | None, Choice | None, tuple[Choice, ...]]:
    found = load_playground(**query)
    return found.first, found.beside, found.missing


def test_what_is_in_memory_can_be_asked(served: None) -> None:
    (model,) = load_playground().models
    assert [(each.number, each.role) for each in model.versions] == [
        (2, "stable"),
        (1, "standing by"),
    ]
    assert {"NEGATIVE", "POSITIVE"} < set(model.versions[0].labels)


def test_a_process_that_was_not_heard_of_has_nothing_in_memory(db: None) -> None:
    register(number=1)
    in_memory((1, "active"), age_s=60)
    assert load_playground().models == ()


def test_the_stable_version_is_chosen(served: None) -> None:
    assert asked() == (Choice(MODEL, 2), None, ())


@pytest.mark.parametrize("beside", ["1", f"{MODEL}@1"])
def test_an_address_chooses(served: None, beside: str) -> None:
    chosen = asked(model=MODEL, version="2", beside=beside)
    assert chosen == (Choice(MODEL, 2), Choice(MODEL, 1), ())


def test_a_version_that_is_not_in_memory_stays_chosen_and_is_told(served: None) -> None:
    chosen = asked(model=MODEL, version="3", beside="9")
    missing = (Choice(MODEL, 3), Choice(MODEL, 9))
    assert chosen == (*missing, missing)


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "¹", "9" * 40, "no/such@1", "@", "0"])
def test_what_cannot_be_understood_is_as_if_it_were_not_there(served: None, text: str) -> None:
    assert asked(model="no/such", version=text, beside=text) == (Choice(MODEL, 2), None, ())


def test_it_takes_as_many_queries_for_many_models(
    served: None, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(5):
        load_playground()
    for number in range(5):
        register(f"team/m{number}")
        in_memory((1, "active"), model=f"team/m{number}")
    with django_assert_num_queries(5):
        assert len(load_playground().models) == 6


@pytest.mark.parametrize("role", ["viewer", "labeller"])
def test_who_may_not_predict_may_not_enter(served: None, client: Client, role: str) -> None:
    client.force_login(make_person(role))
    assert client.get(PATH).status_code == 403


def test_an_operator_finds_the_form_filled_in(served: None, client: Client) -> None:
    client.force_login(make_person("operator"))
    page = client.get(PATH, {"text": "</textarea><script>x</script>", "version": "1"})
    assert "</textarea><script>" not in page.content.decode()
    data = page.context["playground"]
    assert (data["first"]["version"], data["may_feedback"]) == (2, True)
    assert "csrftoken" in page.cookies


def test_where_nothing_is_in_memory_the_page_says_so(db: None, client: Client) -> None:
    client.force_login(make_person("operator"))
    page = client.get(PATH).content.decode()
    assert "No version is in memory" in page
    assert "Go to the versions" in page


def test_an_address_is_that_of_the_public_url(served: None, client: Client, settings: Any) -> None:
    client.force_login(make_person("operator"))
    settings.BELLWETHER_PUBLIC_URL = "https://models.example.org"
    assert client.get(PATH).context["playground"]["base"] == "https://models.example.org"


def test_no_model_is_listed_without_a_version(served: None) -> None:
    RegisteredModel.objects.create(namespace="team", name="empty")
    assert [model.name for model in load_playground().models] == [MODEL]


# The code: what a shell and an interpreter read is what was written.

HARD = (
    'it\'s "both" `kinds` of $QUOTES and \\ strokes',
    "two\nlines\r\nand\ttabs",
    "emoji 🎬 and ünïcode and \u2028 separators \u0085",
    "'; echo gone; '",
    "$(echo gone) %s {0} !! ''' \"\"\"",
    "",
)
WRITE = """
import { LANGUAGES } from "./snippets.mjs";
import { readFileSync } from "node:fs";
const calls = JSON.parse(readFileSync(0, "utf8"));
const texts = calls.map((call) => LANGUAGES.map((each) => each.write(call)));
process.stdout.write(JSON.stringify(texts));
"""
needs_node = pytest.mark.skipif(NODE is None, reason="no node here")
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")


def code_for(tmp_path: Path, inputs: list[Any], pin: int = 0) -> list[dict[str, str]]:
    shutil.copy(SNIPPETS, tmp_path / "snippets.mjs")
    script = tmp_path / "write.mjs"
    script.write_text(WRITE)
    calls = [
        {
            "base": "http://127.0.0.1:8000",
            "model": "team/tiny",
            "body": {"inputs": each, "parameters": {"top_k": None}},
            "pin": pin,
            "labels": 2,
        }
        for each in inputs
    ]
    assert NODE is not None
    done = run([NODE, str(script)], json.dumps(calls))
    names = ("curl", "client", "httpx", "javascript")
    return [dict(zip(names, texts, strict=True)) for texts in json.loads(done)]


def run(command: list[str], text: str = "", **environment: str) -> str:
    done = subprocess.run(
        command,
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "BELLWETHER_API_KEY": "k1", **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def shell_reads(code: str) -> dict[str, Any]:
    """What curl would be called with."""
    told = run(["bash", "-c", 'curl() { printf "%s\\0" "$@"; }\n' + code])
    words = told.split("\0")
    return {"body": json.loads(words[words.index("--data-raw") + 1]), "words": words}


def python_reads(code: str) -> dict[str, Any]:
    """What httpx would be called with."""
    told: dict[str, Any] = {}

    class Httpx:
        def post(self, url: str, **options: Any) -> "Httpx":
            told.update(options, url=url)
            return self

        def raise_for_status(self) -> None: ...

        def json(self) -> str:
            return ""

    exec(code.replace("import httpx\n", ""), {"httpx": Httpx(), "print": lambda _: None})
    return told


@needs_node
def test_every_language_reads_a_hard_text_as_it_is(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("BELLWETHER_API_KEY", "k1")
    inputs = [*HARD, list(HARD)]
    for given_, code in zip(inputs, code_for(tmp_path, inputs), strict=True):
        assert shell_reads(code["curl"])["body"]["inputs"] == given_
        assert python_reads(code["httpx"])["json"]["inputs"] == given_
        node = "globalThis.fetch = async (url, asks) => ({ ok: true, json: async () => asks });\n"
        script = tmp_path / "call.mjs"
        script.write_text(node + code["javascript"])
        assert NODE is not None
        said = json.loads(run([NODE, str(script)]))
        assert json.loads(said["body"])["inputs"] == given_
        assert said["headers"]["X-API-Key"] == "k1"


@needs_node
@settings(
    max_examples=3,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.text(characters, max_size=60), min_size=40, max_size=40))
def test_any_text_comes_through_shell_and_python(
    tmp_path: Path, monkeypatch: Any, texts: list[str]
) -> None:
    monkeypatch.setenv("BELLWETHER_API_KEY", "k1")
    (code,) = code_for(tmp_path, [texts])
    assert shell_reads(code["curl"])["body"]["inputs"] == texts
    assert python_reads(code["httpx"])["json"]["inputs"] == texts


@needs_node
def test_the_key_is_read_from_the_environment_in_every_language(tmp_path: Path) -> None:
    (code,) = code_for(tmp_path, ["a film"])
    assert all("BELLWETHER_API_KEY" in text for text in code.values())
    assert "X-API-Key: k1" in shell_reads(code["curl"])["words"]


@needs_node
def test_a_pin_is_in_every_language_or_in_none(tmp_path: Path) -> None:
    (pinned,), (free,) = code_for(tmp_path, ["x"], pin=3), code_for(tmp_path, ["x"])
    assert all("X-Model-Pin" in text for text in pinned.values())
    assert not any("X-Model-Pin" in text for text in free.values())


@needs_node
@pytest.mark.parametrize("inputs", ["a 'film'\n", ["one", "two"]], ids=["one", "several"])
def test_the_client_of_the_hub_is_called_for_each_text(
    tmp_path: Path, monkeypatch: Any, inputs: Any
) -> None:
    monkeypatch.setenv("BELLWETHER_API_KEY", "k1")
    (code,) = code_for(tmp_path, [inputs])
    said = []

    class Client:
        def __init__(self, **options: Any) -> None:
            assert options["model"] == "http://127.0.0.1:8000/models/team/tiny"

        def text_classification(self, text: str, top_k: int) -> None:
            said.append((text, top_k))

    lines = [line for line in code["client"].splitlines() if not line.startswith("from")]
    exec("\n".join(lines), {"InferenceClient": Client, "print": lambda _: None})
    texts = inputs if isinstance(inputs, list) else [inputs]
    assert said == [(text, 2) for text in texts]
