"""The same dialect, asked by every pinned version of `huggingface_hub`, each in its own process."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForQuestionAnswering, AutoModelForTokenClassification

from tests.conformance import environments
from tests.inference.conftest import Plane, a_plane, behind_socket
from tests.inference.golden.seeded import save_seeded
from tests.inference.loaded import load
from tests.inference.test_huggingface import PATH, url
from tests.inference.windowed import TAGS

__all__ = ["url"]

pytestmark = pytest.mark.skipif(
    not environments.is_wanted(), reason="BELLWETHER_CLIENTS asks for the pinned clients"
)
CASE_S = 60
LABELLED = ("token-classification",)
HEADS = {
    "token-classification": AutoModelForTokenClassification,
    "question-answering": AutoModelForQuestionAnswering,
}
SCRIPT = """
import json, sys
from huggingface_hub import InferenceClient, __version__
try:
    from huggingface_hub.errors import HfHubHTTPError
except ImportError:
    from huggingface_hub.utils import HfHubHTTPError

url, path = sys.argv[1:]
client = InferenceClient(model=url + path, token="good-key", timeout=10)

def pairs(found):
    return [[each.label, each.score] for each in found]

said = {
    "version": __version__,
    "all": pairs(client.text_classification("a good film")),
    "best": pairs(client.text_classification("a good film", top_k=1)),
    "sigmoid": pairs(client.text_classification("a film", function_to_apply="sigmoid")),
}
task = InferenceClient(model=url + path + "/pipeline/text-classification", token="good-key")
said["task"] = pairs(task.text_classification("good"))
for name, path, key in (("unknown", "/models/team/other", "good-key"), ("key", path, "wrong")):
    try:
        InferenceClient(model=url + path, token=key).text_classification("x")
    except HfHubHTTPError as error:
        said[name] = [error.response.status_code, str(error)]
print(json.dumps(said))
"""


@pytest.fixture
def clean(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG")}
    return kept | {"HF_HOME": str(tmp_path), "HF_HUB_DISABLE_TELEMETRY": "1"}


@pytest.mark.parametrize("version", environments.VERSIONS)
def test_a_pinned_client_classifies_and_reads_our_errors(
    url: str, plane: Plane, clean: dict[str, str], version: str
) -> None:
    python = environments.prepare(version) / "python"
    done = subprocess.run(
        [python, "-W", "ignore", "-c", SCRIPT, url, PATH],
        capture_output=True,
        text=True,
        timeout=CASE_S,
        env=clean,
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert said["version"] == version
    assert [label for label, _ in said["all"]] == ["POSITIVE", "NEGATIVE"]
    assert [label for label, _ in said["best"]] == ["POSITIVE"]
    assert len(said["sigmoid"]) == 2
    assert said["task"][0][0] == "POSITIVE"
    assert said["unknown"][0] == 404
    assert "team/other" in said["unknown"][1]
    assert said["key"][0] == 401
    assert {record.dialect for record in plane.recorder.records} == {"huggingface"}


FINDING = """
import json, sys
from huggingface_hub import InferenceClient, __version__

url, task = sys.argv[1:]
client = InferenceClient(model=url, token="good-key", timeout=10)
text = "Ada Lovelace met Charles Babbage in London."
if task == "token-classification":
    found = client.token_classification(text)
    spans = [[text[each.start:each.end], each.entity_group, each.score] for each in found]
else:
    one = client.question_answering(question="Who?", context=text)
    several = client.question_answering(question="Who?", context=text, top_k=2)
    spans = [[text[each.start:each.end], each.answer, each.score] for each in [one, *several]]
print(json.dumps({"version": __version__, "spans": spans}))
"""


@pytest.mark.parametrize("version", environments.VERSIONS)
@pytest.mark.parametrize("task", ["token-classification", "question-answering"])
def test_a_pinned_client_finds_entities_and_answers(
    clean: dict[str, str], tmp_path: Path, version: str, task: str
) -> None:
    named: dict[str, Any] = {"id2label": dict(enumerate(TAGS))} if task in LABELLED else {}
    view = save_seeded(tmp_path / "view", "bert", HEADS[task], **named)
    python = environments.prepare(version) / "python"
    predictor = load(view, task, TAGS if named else ())
    with a_plane(predictor=predictor) as plane, behind_socket(plane) as url:
        done = subprocess.run(
            [python, "-W", "ignore", "-c", FINDING, f"{url}/models/team/tiny", task],
            capture_output=True,
            text=True,
            timeout=CASE_S,
            env=clean,
        )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert said["version"] == version
    assert said["spans"]
    for span, named_by, score in said["spans"]:
        assert span
        assert 0 < score <= 1
        assert named_by in ({"PER", "LOC", "ORG"} if task in LABELLED else {span})
