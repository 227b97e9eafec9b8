"""What one client does, from its first login to deleting the model: every step asserts something.

Run by a pinned client's own interpreter in a fresh process, with nothing but HF_ENDPOINT, HF_TOKEN
and HF_HOME set; knows nothing of the server. The one argument is JSON: `model`, `first` and
`second` (folders of two versions), `scratch`, and `bad_token`.
Says of each step when it has passed.
"""

import hashlib
import json
import os
import sys
from pathlib import Path

import huggingface_hub
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    hf_hub_download,
    snapshot_download,
    try_to_load_from_cache,
)
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

GIVEN = json.loads(sys.argv[1])
MODEL, NAMESPACE = GIVEN["model"], GIVEN["model"].split("/")[0]
FIRST, SECOND, SCRATCH = (Path(GIVEN[key]) for key in ("first", "second", "scratch"))
API = HfApi()
STEPS = []
SEEN = {}


def step(function):
    STEPS.append(function)
    return function


def sha256s(folder):
    """The sha256 by path of what a client would push from or has put into `folder`."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and ".cache" not in path.relative_to(folder).parts
    }


def refusal(kind, work, *arguments, status=None, **options):
    """The error that `work` raises, which must be of this kind."""
    try:
        work(*arguments, **options)
    except kind as error:
        found = error.response.status_code if status else None
        if found not in (status or (None,)):
            raise AssertionError(f"{work.__name__} was answered {found}") from error
        return error
    raise AssertionError(f"{work.__name__} did not raise {kind.__name__}")


@step
def whoami_knows_the_key():
    assert API.whoami()["name"]


@step
def whoami_refuses_a_bad_token():
    # Before 1.0 it is the error of the HTTP library underneath.
    refusal(Exception, API.whoami, token=GIVEN["bad_token"], status=(401,))


@step
def a_missing_model_is_repository_not_found():
    refusal(RepositoryNotFoundError, API.model_info, "team/nothing")
    refusal(
        RepositoryNotFoundError,
        API.upload_file,
        repo_id="team/nothing",
        path_or_fileobj=b"{}",
        path_in_repo="config.json",
    )
    assert not API.repo_exists("team/nothing")


@step
def without_a_key_a_model_is_not_found():
    refusal(RepositoryNotFoundError, API.create_repo, MODEL, token=False)


@step
def a_model_is_created():
    url = API.create_repo(MODEL)
    assert url.repo_id == MODEL
    assert str(url).startswith(os.environ["HF_ENDPOINT"])


@step
def creating_it_again_is_a_conflict_unless_allowed():
    assert API.create_repo(MODEL, exist_ok=True).repo_id == MODEL
    refusal(HfHubHTTPError, API.create_repo, MODEL, status=(409,))


@step
def a_folder_is_pushed():
    commit = API.upload_folder(repo_id=MODEL, folder_path=FIRST, commit_message="First model")
    SEEN["first"] = commit.oid
    assert len(commit.oid) == 40
    assert API.model_info(MODEL).sha == commit.oid


@step
def pushing_it_again_makes_no_commit():
    API.upload_folder(repo_id=MODEL, folder_path=FIRST, commit_message="Again")
    assert API.model_info(MODEL).sha == SEEN["first"]


@step
def the_files_are_listed():
    assert sorted(API.list_repo_files(MODEL)) == sorted(sha256s(FIRST))


@step
def sizes_and_digests_are_told():
    info = API.model_info(MODEL, files_metadata=True)
    for file in info.siblings:
        path = FIRST / file.rfilename
        assert file.size == path.stat().st_size
        if file.lfs:
            digest = file.lfs["sha256"] if isinstance(file.lfs, dict) else file.lfs.sha256
            assert digest == sha256s(FIRST)[file.rfilename]
    assert any(file.lfs for file in info.siblings)


@step
def the_tree_is_walked():
    tree = list(API.list_repo_tree(MODEL, recursive=True))
    assert sorted(item.path for item in tree) == sorted(sha256s(FIRST))


@step
def paths_are_looked_up():
    found = API.get_paths_info(MODEL, ["config.json", "nothing.txt"])
    assert [item.path for item in found] == ["config.json"]
    assert found[0].size == (FIRST / "config.json").stat().st_size


@step
def existence_is_told():
    assert API.repo_exists(MODEL)
    assert API.file_exists(MODEL, "config.json")
    assert not API.file_exists(MODEL, "nothing.txt")
    assert API.revision_exists(MODEL, "main")
    assert not API.revision_exists(MODEL, "nothing")


@step
def safetensors_headers_are_read_by_range():
    assert sum(API.get_safetensors_metadata(MODEL).parameter_count.values()) > 0


@step
def a_tag_seals_a_version():
    API.create_tag(MODEL, tag="v1", tag_message="The first")
    assert API.model_info(MODEL, revision="v1").sha == SEEN["first"]
    refusal(HfHubHTTPError, API.create_tag, MODEL, tag="v1", status=(409,))
    API.create_tag(MODEL, tag="v1", exist_ok=True)


@step
def a_cold_snapshot_is_the_folder():
    folder = snapshot_download(MODEL, revision="v1")
    assert sha256s(folder) == sha256s(FIRST)
    SEEN["snapshot"] = folder


@step
def a_warm_snapshot_is_the_same_folder():
    assert snapshot_download(MODEL, revision="v1") == SEEN["snapshot"]
    assert snapshot_download(MODEL, revision=SEEN["first"]) == SEEN["snapshot"]
    assert snapshot_download(MODEL, revision="v1", local_files_only=True) == SEEN["snapshot"]


@step
def a_snapshot_goes_to_a_folder_of_choice():
    folder = snapshot_download(MODEL, revision="v1", local_dir=SCRATCH / "local")
    assert sha256s(folder) == sha256s(FIRST)


@step
def a_pattern_chooses_files():
    folder = snapshot_download(
        MODEL, revision="v1", allow_patterns="*.json", local_dir=SCRATCH / "some"
    )
    assert sha256s(folder) == {k: v for k, v in sha256s(FIRST).items() if k.endswith(".json")}


@step
def a_missing_revision_is_revision_not_found():
    refusal(RevisionNotFoundError, API.model_info, MODEL, revision="nothing")
    refusal(RevisionNotFoundError, hf_hub_download, MODEL, "config.json", revision="v99")


@step
def a_missing_file_is_entry_not_found_and_remembered():
    refusal(EntryNotFoundError, hf_hub_download, MODEL, "nothing.json", revision="v1")
    found = try_to_load_from_cache(MODEL, "nothing.json", revision=SEEN["first"])
    assert found is huggingface_hub.file_download._CACHED_NO_EXIST


@step
def a_card_is_pushed_from_memory():
    card = b"---\nlicense: apache-2.0\ntags: [tiny]\n---\n\n# A tiny model\n"
    API.upload_file(repo_id=MODEL, path_or_fileobj=card, path_in_repo="README.md")
    assert Path(hf_hub_download(MODEL, "README.md")).read_bytes() == card
    assert API.model_info(MODEL).card_data.license == "apache-2.0"


@step
def a_stale_parent_is_refused():
    operations = [CommitOperationAdd("notes.txt", b"late")]
    refusal(
        HfHubHTTPError,
        API.create_commit,
        MODEL,
        operations=operations,
        commit_message="Late",
        parent_commit=SEEN["first"],
        status=(412,),
    )
    assert not API.file_exists(MODEL, "notes.txt")


@step
def a_pickle_is_refused_before_its_bytes_move():
    error = refusal(
        HfHubHTTPError,
        API.upload_file,
        repo_id=MODEL,
        path_in_repo="model.bin",
        path_or_fileobj=b"\x80\x04 pickled" * 100,
        status=(400, 403, 422),
    )
    assert "model.bin" in str(error)


@step
def a_branch_with_a_slash_grows():
    API.create_branch(MODEL, branch="feature/x")
    refusal(HfHubHTTPError, API.create_branch, MODEL, branch="feature/x", status=(409,))
    API.create_branch(MODEL, branch="feature/x", exist_ok=True)
    API.upload_file(
        repo_id=MODEL, path_or_fileobj=b"notes", path_in_repo="notes.txt", revision="feature/x"
    )
    assert API.file_exists(MODEL, "notes.txt", revision="feature/x")
    assert not API.file_exists(MODEL, "notes.txt")
    assert Path(hf_hub_download(MODEL, "notes.txt", revision="feature/x")).read_bytes() == b"notes"


@step
def refs_are_listed():
    refs = API.list_repo_refs(MODEL)
    assert {"main", "feature/x"} <= {ref.name for ref in refs.branches}
    assert {ref.name: ref.target_commit for ref in refs.tags}["v1"] == SEEN["first"]


@step
def commits_are_listed_newest_first():
    titles = [commit.title for commit in API.list_repo_commits(MODEL)]
    assert titles.index("First model") > 0
    assert any(commit.title for commit in API.list_repo_commits(MODEL, revision="feature/x"))


@step
def a_commit_adds_and_deletes_at_once():
    API.create_commit(
        MODEL,
        operations=[
            CommitOperationAdd("more/one.txt", b"1"),
            CommitOperationAdd("more/two.txt", b"2"),
            CommitOperationDelete("README.md"),
        ],
        commit_message="Two notes for a card",
    )
    files = set(API.list_repo_files(MODEL))
    assert {"more/one.txt", "more/two.txt"} <= files
    assert "README.md" not in files
    tree = list(API.list_repo_tree(MODEL, "more"))
    assert [item.path for item in tree] == ["more/one.txt", "more/two.txt"]


@step
def a_file_and_a_folder_are_deleted():
    API.delete_file("more/one.txt", repo_id=MODEL)
    API.delete_folder("more", repo_id=MODEL)
    assert sorted(API.list_repo_files(MODEL)) == sorted(sha256s(FIRST))


@step
def branches_and_tags_are_deleted():
    API.create_tag(MODEL, tag="candidate", revision="feature/x")
    API.delete_tag(MODEL, tag="candidate")
    API.delete_branch(MODEL, branch="feature/x")
    refs = API.list_repo_refs(MODEL)
    assert [ref.name for ref in refs.branches] == ["main"]
    assert "candidate" not in {ref.name for ref in refs.tags}
    refusal(HfHubHTTPError, API.delete_tag, MODEL, tag="nothing", status=(404,))


@step
def a_second_version_leaves_the_first_as_it_was():
    API.upload_folder(repo_id=MODEL, folder_path=SECOND, commit_message="Second model")
    API.create_tag(MODEL, tag="v2")
    assert sha256s(snapshot_download(MODEL, revision="v2")) == sha256s(SECOND)
    again = snapshot_download(MODEL, revision="v1", local_dir=SCRATCH / "again")
    assert sha256s(again) == sha256s(FIRST)


@step
def models_are_listed():
    assert MODEL in [model.id for model in API.list_models(author=NAMESPACE)]


@step
def the_model_is_deleted():
    API.delete_repo(MODEL)
    assert not API.repo_exists(MODEL)
    refusal(RepositoryNotFoundError, API.delete_repo, MODEL)


if __name__ == "__main__":
    print(f"huggingface_hub {huggingface_hub.__version__}")
    for each in STEPS:
        each()
        print(f"passed {each.__name__}", flush=True)
