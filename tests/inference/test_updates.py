"""The classic /update-model: a registered name and a revision, never a path."""

import asyncio

import pytest

from access.keyring import KeyFacts
from access.scopes import Scope
from inference.errors import PathNotAccepted
from inference.http.endpoints import Received
from inference.http.updates import UpdateModelRequest, check_is_name, update_endpoint, update_model
from inference.reconciler import Reconciler
from inference.serving import Serving
from inference.swap.link import RegistryLink
from inference.swap.preparing import Preparer
from registry import services
from registry.deployment import load_deployment
from registry.errors import RevisionNotFound, VersionNotRoutable
from tests.inference.doubles import a_predictor
from tests.registry.builders import build_model_dir

MODEL = "team/tiny"

PATHS = [
    "/srv/models/new",
    "./new",
    "../new",
    "~/models/new",
    "~",
    "models\\new",
    "C:\\models\\new",
    "C:/models",
    "team/tiny/",
    "team/tiny/v2",
    "a/b/c",
    "file:///srv/models",
    "hf://team/tiny",
    "\\\\host\\share",
    "/",
    ".",
    "/proc/self/environ",
]


@pytest.mark.parametrize("path", PATHS)
def test_anything_like_a_path_is_refused_whether_or_not_it_is_there(path):
    with pytest.raises(PathNotAccepted) as caught:
        check_is_name(path)
    assert "manage.py register DIR namespace/name" in caught.value.message
    assert path not in caught.value.message or path in "./~"


@pytest.mark.parametrize("name", ["team/tiny", "Team-1/tiny_model.v2", "tiny"])
def test_names_are_not_paths(name):
    check_is_name(name)


def test_it_takes_the_right_to_promote():
    assert update_endpoint().scope is Scope.PROMOTE


@pytest.fixture
def versions(tmp_path, settings, transactional_db):
    settings.BELLWETHER_HOME = tmp_path / "home"
    for seed in (1, 2):
        folder = build_model_dir(tmp_path / f"model-{seed}", seed=seed)
        services.register_directory(folder, MODEL, actor="alice")


@pytest.fixture
def running(versions):
    """A process that follows the registry, with predictors that have no model."""
    link, serving = RegistryLink(), Serving()
    broken: set[int] = set()

    def load(spec):
        if spec.number in broken:
            raise ValueError("weights of another shape")
        return a_predictor(spec)

    preparer = Preparer(load, desk=link, tries_out=False)
    reconciler = Reconciler(serving, link, load, preparer=preparer, desk=link)
    reconciler.start()
    yield serving, broken
    reconciler.stop()


def update(revision: str, model: str = MODEL):
    received = Received(
        UpdateModelRequest(model, revision),
        {},
        {},
        KeyFacts(id="k1", name="deployer", scopes=frozenset({Scope.PROMOTE})),
        "r1",
    )
    return asyncio.run(update_model(received)).body


def test_the_version_answers_when_the_answer_comes(running):
    for revision, number in (("v2", 2), ("1", 1)):
        reply = update(revision)
        assert (reply.model, reply.version, reply.status) == (MODEL, number, "active")
        assert reply.message == f"{MODEL} version {number} answers now"
    deployment = load_deployment(MODEL)
    assert deployment.state == "committed"
    assert deployment.has_converged or deployment.laggards


def test_a_version_that_cannot_serve_is_a_conflict_and_the_old_one_stays(running, monkeypatch):
    serving, broken = running
    update("v1")
    broken.add(2)
    monkeypatch.setattr("inference.swap.progress.RETRY_S", (0.05, 0.05))
    with pytest.raises(VersionNotRoutable, match="weights of another shape"):
        update("v2")
    assert serving.choose(MODEL, "somebody").spec.number == 1


def test_without_a_process_that_serves_it_says_that_it_is_being_prepared(versions, monkeypatch):
    monkeypatch.setattr("inference.http.updates.WAIT_S", 0.1)
    assert update("v2").status == "preparing"


def test_what_is_not_a_version_is_not_found(versions):
    with pytest.raises(RevisionNotFound):
        update("v9")
