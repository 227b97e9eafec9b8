"""Many writers at once: nothing is lost, nothing is counted twice."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connections

from registry import services
from registry.errors import RefExists, StaleParent, VersionConflict
from registry.models import Commit, Event, Version
from registry.queries import find_model
from registry.refs import load_log, resolve_revision
from registry.services.commits import Changes
from tests.registry.builders import build_model_dir

MODEL = "team/tiny"
N_WRITERS = 6
pytestmark = pytest.mark.django_db(transaction=True)


def at_once(work, n: int = N_WRITERS) -> list[object]:
    """Run work(0) … work(n-1) in threads; returns results, or the errors raised."""

    def guarded(number: int) -> object:
        try:
            return work(number)
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(n) as threads:
        return list(threads.map(guarded, range(n)))


def upload(store, content: bytes):
    with store.open_staging() as staging:
        staged = staging.files / "staged"
        staged.write_bytes(content)
        return services.keep_file(
            find_model(MODEL),
            staged,
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            actor="alice",
        )


@pytest.fixture
def model(store):
    return services.create_model(MODEL, actor="alice")


def test_commits_at_once_follow_one_another_and_none_is_lost(model, store):
    def push(number: int):
        entry = upload(store, b"same for all" if number % 2 else b"%d" % number)
        changes = Changes(add={f"file-{number}.txt": entry})
        return services.commit_changes(MODEL, "main", changes, actor="alice", title=f"{number}")

    results = at_once(push)
    assert not [result for result in results if isinstance(result, Exception)]
    head = resolve_revision(model, "main")
    assert len(head.files) == N_WRITERS
    log = load_log(Commit.objects.get(oid=head.oid), limit=100)
    assert len(log) == N_WRITERS + 1
    assert Event.objects.filter(kind="committed").count() == N_WRITERS


def test_of_commits_on_one_parent_exactly_one_is_made(model, store):
    parent = resolve_revision(model, "main").oid

    def push(number: int):
        changes = Changes(add={"a.txt": upload(store, b"%d" % number)})
        return services.commit_changes(
            MODEL, "main", changes, actor="alice", title="t", parent=parent
        )

    results = at_once(push)
    assert sum(isinstance(result, StaleParent) for result in results) == N_WRITERS - 1
    assert Commit.objects.count() == 2


def test_a_tag_set_by_many_at_once_seals_one_version(model, store, tmp_path):
    folder = build_model_dir(tmp_path / "model")
    add = {path.name: upload(store, path.read_bytes()) for path in folder.iterdir()}
    services.commit_changes(MODEL, "main", Changes(add=add), actor="alice", title="t")
    results = at_once(lambda _: services.create_tag(MODEL, "v1", "main", actor="alice"))
    assert results.count(None) == 1
    assert all(isinstance(result, RefExists | VersionConflict | None) for result in results)
    version = Version.objects.get()
    assert Path(store.view(version.digest), "config.json").is_file()


def test_directories_registered_at_once_get_numbers_of_their_own(store, tmp_path):
    folders = [build_model_dir(tmp_path / f"m{n}", seed=n) for n in range(N_WRITERS)]
    results = at_once(lambda n: services.register_directory(folders[n], MODEL, actor="alice"))
    assert not [result for result in results if isinstance(result, Exception)]
    assert sorted(spec.number for spec in results) == list(range(1, N_WRITERS + 1))
    head = resolve_revision(find_model(MODEL), "main")
    assert len(load_log(Commit.objects.get(oid=head.oid), limit=100)) == N_WRITERS + 1
