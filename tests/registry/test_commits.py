"""Commits, names for them, and sealing one as a version."""

import hashlib
from pathlib import Path

import pytest

from registry import services
from registry.errors import (
    BlobNotHere,
    ContentRefused,
    EntryNotFound,
    InvalidField,
    InvalidPath,
    InvalidRef,
    ModelIsLive,
    ModelNotFound,
    RefExists,
    RevisionNotFound,
    StaleParent,
    VersionConflict,
)
from registry.manifests import ManifestFile
from registry.models import Commit, Event, Lease, RegisteredModel, Version
from registry.queries import find_model, load_live_version
from registry.refs import load_log, load_refs, resolve_revision
from registry.services.commits import Changes
from tests.registry.builders import build_model_dir

MODEL = "team/tiny"
pytestmark = pytest.mark.django_db


@pytest.fixture
def model() -> RegisteredModel:
    return services.create_model(MODEL, actor="alice")


@pytest.fixture
def upload(store, tmp_path, model):
    """upload(content) stores bytes for the model and returns their manifest entry."""

    def upload(content: bytes, of: RegisteredModel = model) -> ManifestFile:
        with store.open_staging() as staging:
            staged = staging.files / "staged"
            staged.write_bytes(content)
            sha256 = hashlib.sha256(content).hexdigest()
            return services.keep_file(of, staged, sha256=sha256, size=len(content), actor="alice")

    return upload


@pytest.fixture
def push(upload, tmp_path):
    """push(seed) commits a whole tiny model to a branch."""

    def push(seed: int = 0, branch: str = "main", name: str = MODEL, **files: bytes):
        folder = build_model_dir(tmp_path / f"push-{seed}", seed=seed)
        add = {
            path.name: upload(path.read_bytes(), find_model(name))
            for path in sorted(folder.iterdir())
        }
        return services.commit_changes(
            name, branch, Changes(add=add), actor="alice", title=f"Push {seed}"
        )

    return push


def commit(add=None, **kwargs):
    wanted = {"actor": "alice", "title": "Change"} | kwargs
    changes = Changes(
        add=add or {},
        delete_files=wanted.pop("delete_files", ()),
        delete_folders=wanted.pop("delete_folders", ()),
    )
    return services.commit_changes(MODEL, wanted.pop("branch", "main"), changes, **wanted)


def test_a_new_model_has_an_empty_main_with_the_id_of_the_empty_tree(model):
    head = resolve_revision(model, "main")
    assert head.files == ()
    assert head.tree_oid == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    assert len(head.oid) == 40


def test_a_commit_adds_replaces_and_deletes(model, upload):
    first = commit({"a.txt": upload(b"1"), "sub/b.txt": upload(b"2"), "sub/c.txt": upload(b"3")})
    assert [file.path for file in first.files] == ["a.txt", "sub/b.txt", "sub/c.txt"]
    second = commit({"a.txt": upload(b"new")}, delete_files=("sub/b.txt",))
    assert {f.path: f.size for f in second.files} == {"a.txt": 3, "sub/c.txt": 1}
    assert second.parent == first.oid
    third = commit(delete_folders=("sub",))
    assert [file.path for file in third.files] == ["a.txt"]
    log = load_log(Commit.objects.get(oid=third.oid), limit=10)
    assert [row.title for row in log] == ["Change", "Change", "Change", "Initial commit"]


def test_a_commit_that_changes_nothing_returns_the_head(model, upload):
    entry = upload(b"1")
    first = commit({"a.txt": entry})
    assert commit({"a.txt": entry}, parent="0" * 40).oid == first.oid
    assert Commit.objects.count() == 2


def test_a_commit_on_a_stale_parent_is_refused(model, upload):
    head = commit({"a.txt": upload(b"1")})
    with pytest.raises(StaleParent):
        commit({"a.txt": upload(b"2")}, parent=head.parent)
    assert commit({"a.txt": upload(b"2")}, parent=head.oid).parent == head.oid


def test_bytes_of_another_model_cannot_be_named(model, upload):
    other = services.create_model("other/model", actor="bob")
    entry = upload(b"secret weights", other)
    with pytest.raises(BlobNotHere) as caught:
        commit({"a.txt": entry})
    assert caught.value.details["path"] == "a.txt"


def test_bytes_never_uploaded_or_of_another_size_cannot_be_named(model, upload):
    entry = upload(b"1")
    for wrong in (ManifestFile("", 1, "0" * 64), ManifestFile("", 2, entry.sha256)):
        with pytest.raises(BlobNotHere):
            commit({"a.txt": wrong})


def test_a_lease_that_ended_no_longer_lets_bytes_be_named(model, upload):
    entry = upload(b"1")
    Lease.objects.update(expires_at="2020-01-01T00:00:00Z")
    with pytest.raises(BlobNotHere):
        commit({"a.txt": entry})


@pytest.mark.parametrize("path", ["../a", "/a", "a//b", "a\\b", "nul.txt", ".git/config"])
def test_illegal_paths_cannot_be_committed(model, upload, path):
    with pytest.raises(InvalidPath):
        commit({path: upload(b"1")})


def test_files_of_forbidden_kinds_and_collisions_cannot_be_committed(model, upload):
    with pytest.raises(ContentRefused):
        commit({"model.bin": upload(b"1")})
    with pytest.raises(InvalidPath):
        commit({"a.txt": upload(b"1"), "A.txt": upload(b"2")})


def test_what_is_not_there_cannot_be_deleted(model):
    with pytest.raises(EntryNotFound):
        commit(delete_files=("a.txt",))
    with pytest.raises(EntryNotFound):
        commit(delete_folders=("sub",))


def test_commits_go_to_branches_only(model, push):
    push(1)
    services.create_tag(MODEL, "v1", "main", actor="alice")
    for branch in ("v1", "nowhere", "prod"):
        with pytest.raises(RevisionNotFound):
            commit(branch=branch)
    with pytest.raises(ModelNotFound):
        services.commit_changes("no/model", "main", Changes(), actor="a", title="t")


def test_a_branch_grows_on_its_own(model, upload):
    head = commit({"a.txt": upload(b"1")})
    services.create_branch(MODEL, "feature/x", start="main", actor="alice")
    moved = commit({"b.txt": upload(b"2")}, branch="feature/x")
    assert moved.parent == head.oid
    assert resolve_revision(model, "main").oid == head.oid
    assert resolve_revision(model, "refs/heads/feature/x").oid == moved.oid
    services.delete_branch(MODEL, "feature/x", actor="alice")
    with pytest.raises(RevisionNotFound):
        resolve_revision(model, "feature/x")
    assert resolve_revision(model, moved.oid).oid == moved.oid


@pytest.mark.parametrize(
    "name",
    [
        *("", "a b", "a..b", "/a", "a/", "a//b", ".a", "a/.b", "a.lock", "HEAD", "refs/heads/a"),
        *("prod", "previous", "v1", "0" * 40, "a" * 201, "-a", "ä", "a\nb"),
    ],
)
def test_names_that_no_branch_may_have_are_refused(model, name):
    with pytest.raises(InvalidRef):
        services.create_branch(MODEL, name, actor="alice")


def test_main_stays(model):
    with pytest.raises(InvalidRef):
        services.delete_branch(MODEL, "main", actor="alice")


def test_a_tag_vn_seals_the_commit_as_version_n(model, push, store):
    head = push(1)
    services.create_tag(MODEL, "v1", "main", actor="alice", message="first")
    version = Version.objects.get()
    assert (version.number, version.commit.oid, version.note) == (1, head.oid, "first")
    assert (store.view(version.digest) / "model.safetensors").is_file()
    assert resolve_revision(model, "v1").oid == head.oid
    assert Event.objects.filter(kind="registered", number=1).exists()
    with pytest.raises(RefExists):
        services.create_tag(MODEL, "v1", "main", actor="alice")


def test_version_numbers_may_leave_gaps_and_are_never_used_again(model, push):
    push(1)
    services.create_tag(MODEL, "v5", "main", actor="alice")
    push(2)
    with pytest.raises(RefExists):
        services.create_tag(MODEL, "v3", "main", actor="alice")
    services.create_tag(MODEL, "v6", "main", actor="alice")
    assert sorted(Version.objects.values_list("number", flat=True)) == [5, 6]


def test_the_same_files_are_one_version(model, push):
    push(1)
    services.create_tag(MODEL, "v1", "main", actor="alice")
    with pytest.raises(VersionConflict):
        services.create_tag(MODEL, "v2", "main", actor="alice")
    assert not services.seal(MODEL, "main", actor="alice").is_new


def test_a_revision_that_is_no_whole_model_cannot_be_sealed(model, upload):
    with pytest.raises(ContentRefused):
        services.seal(MODEL, "main", actor="alice")
    commit({"README.md": upload(b"# Hello")})
    with pytest.raises(ContentRefused):
        services.seal(MODEL, "main", actor="alice")
    assert not Version.objects.exists()


def test_a_version_tag_cannot_be_deleted(model, push):
    push(1)
    services.create_tag(MODEL, "v1", "main", actor="alice")
    with pytest.raises(InvalidRef):
        services.delete_tag(MODEL, "v1", actor="alice")


def test_an_own_tag_stays_where_it_was_made(model, push):
    head = push(1)
    services.create_tag(MODEL, "before-cleanup", "main", actor="alice")
    push(2)
    assert resolve_revision(model, "before-cleanup").oid == head.oid
    with pytest.raises(RefExists):
        services.create_tag(MODEL, "before-cleanup", "main", actor="alice")
    services.delete_tag(MODEL, "before-cleanup", actor="alice")
    with pytest.raises(RevisionNotFound):
        resolve_revision(model, "before-cleanup")


def test_an_alias_moves_between_versions(model, push):
    one = push(1)
    services.create_tag(MODEL, "v1", "main", actor="alice")
    services.set_alias(MODEL, "champion", "v1", actor="alice")
    two = push(2)
    with pytest.raises(RevisionNotFound):
        services.set_alias(MODEL, "champion", "main", actor="alice")
    assert resolve_revision(model, "champion").oid == one.oid
    services.create_tag(MODEL, "v2", "main", actor="alice")
    services.set_alias(MODEL, "champion", "2", actor="alice")
    assert resolve_revision(model, "champion").oid == two.oid


def test_prod_and_previous_follow_the_routes(register):
    register(1)
    register(2)
    model = find_model(MODEL)
    with pytest.raises(RevisionNotFound):
        resolve_revision(model, "prod")
    services.promote(MODEL, 1, actor="alice")
    services.promote(MODEL, 2, actor="alice")
    assert resolve_revision(model, "prod") == resolve_revision(model, "v2")
    assert resolve_revision(model, "previous") == resolve_revision(model, "v1")
    services.rollback(MODEL, actor="alice")
    assert resolve_revision(model, "prod") == resolve_revision(model, "v1")
    with pytest.raises(RevisionNotFound):
        resolve_revision(model, "previous")
    with pytest.raises(InvalidRef):
        services.set_alias(MODEL, "prod", "v1", actor="alice")


def test_a_registered_directory_is_the_head_of_main(register):
    register(1)
    spec = register(2)
    model = find_model(MODEL)
    assert resolve_revision(model, "main") == resolve_revision(model, "v2")
    assert resolve_revision(model, "v2").parent == resolve_revision(model, "v1").oid
    assert {f.path for f in resolve_revision(model, "v2").files} == {
        path.name for path in Path(spec.view).iterdir()
    }
    assert {ref.name for ref in load_refs(model)} == {"main", "v1", "v2"}


def test_versions_from_before_there_were_commits_are_adopted(register):
    register(1)
    model = find_model(MODEL)
    Version.objects.update(commit=None)
    model.refs.all().delete()
    model.commits.all().delete()
    assert services.adopt_versions() == 1
    assert services.adopt_versions() == 0
    assert resolve_revision(model, "v1") == resolve_revision(model, "main")


def test_a_deleted_model_leaves_its_events_and_its_name(register):
    register(1)
    services.promote(MODEL, 1, actor="alice")
    with pytest.raises(ModelIsLive):
        services.delete_model(MODEL, actor="alice")
    with pytest.raises(InvalidField):
        services.delete_model(MODEL, actor="alice", force=True)
    n_events = Event.objects.count()
    services.delete_model(MODEL, actor="alice", reason="no longer needed", force=True)
    assert Event.objects.first().details["routed"] == [1]
    assert not RegisteredModel.objects.exists()
    assert Event.objects.filter(model_name=MODEL, model=None).count() == n_events + 1
    assert register(1).number == 1
    assert load_live_version(MODEL) is None
