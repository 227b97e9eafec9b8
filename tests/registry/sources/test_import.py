"""Bringing in a model from a Hub: listed by commit, resumed, verified, sealed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from registry import services
from registry.errors import (
    AddressRefused,
    ContentRefused,
    EndpointNotAllowed,
    InvalidField,
    InvalidName,
    SourceUnreachable,
    SourceUnreadable,
    VersionConflict,
)
from registry.models import Event, Operation, Version
from registry.queries import load_live_version
from registry.services import importing, operations
from registry.sources import downloads, hub
from registry.specs import OperationKind
from tests.registry.builders import build_model_dir, build_sharded_dir
from tests.registry.sources.loopback import SHA, Loopback, SmallHub, serve

pytestmark = pytest.mark.django_db
NAME = "team/tiny"


@pytest.fixture
def small(tmp_path, monkeypatch) -> SmallHub:
    monkeypatch.setattr(downloads, "BACKOFF_S", 0.001)
    return SmallHub(build_model_dir(tmp_path / "upstream", files={"README.md": b"# Tiny\n"}))


@pytest.fixture
def server(small, settings) -> Iterator[Loopback]:
    with serve(small) as server:
        settings.BELLWETHER_IMPORT_ENDPOINTS = [server.url]
        settings.HF_TOKEN = ""
        yield server


def bring_in(name: str = NAME, source: str = "org/tiny", **options):
    parameters = importing.check_import(source, name, **options)
    return operations.work_inline(
        OperationKind.IMPORT,
        importing.import_title(parameters),
        actor="alice",
        parameters=parameters,
    )


def files_of(version: Version) -> list[str]:
    from registry.manifests import parse_manifest

    return [file.path for file in parse_manifest(version.manifest).files]


def test_an_import_makes_the_same_version_as_registering_the_files(server, small):
    done = bring_in(note="from upstream")
    version = Version.objects.get()
    spec = services.register_directory(small.folder, "team/other", actor="alice")
    assert (done["version"], done["digest"], done["is_new"]) == (1, spec.digest, True)
    assert version.source == f"hub: 127.0.0.1/org/tiny@{SHA}"
    assert (version.note, version.created_by) == ("from upstream", "alice")
    assert done["revision"] == SHA


def test_an_import_shows_its_progress_in_its_operation(server, small):
    bring_in()
    found = Operation.objects.get()
    n_bytes = sum(path.stat().st_size for path in small.folder.rglob("*") if path.is_file())
    assert (found.state, found.done, found.total) == ("done", n_bytes, n_bytes)
    assert found.title == "import org/tiny at main from 127.0.0.1 as team/tiny"


def test_importing_the_same_again_changes_nothing(server):
    assert bring_in()["is_new"]
    again = bring_in()
    assert (again["is_new"], again["version"]) == (False, 1)
    assert Event.objects.filter(kind="registered").count() == 1


def test_an_import_may_be_promoted_at_once(server):
    bring_in(promote=True, note="new weights")
    assert load_live_version(NAME).number == 1
    assert Event.objects.get(kind="promoted").reason == "new weights"


def test_everything_is_read_by_the_commit_that_the_revision_was(server):
    bring_in(revision="v1/x")
    paths = [path for path, _ in server.seen]
    assert paths[0] == "/api/models/org/tiny/revision/v1%2Fx"
    assert all(SHA in path for path in paths[1:])


def test_a_list_of_several_pages_is_read_to_its_end(server, small):
    small.page_size = 2
    assert bring_in()["is_new"]
    assert len(files_of(Version.objects.get())) == 5


def test_endless_pages_are_given_up(server, small, monkeypatch):
    monkeypatch.setattr(hub, "MAX_PAGES", 2)
    small.page_size = 1
    with pytest.raises(SourceUnreadable, match="pages"):
        bring_in()


def test_pages_on_another_host_are_refused(small, settings):
    def handle(request):
        if "/tree/" in request.path:
            request.answer_json([], Link='<http://127.0.0.1:9/x>; rel="next"')
        else:
            small(request)

    with serve(handle) as server:
        settings.BELLWETHER_IMPORT_ENDPOINTS = [server.url]
        with pytest.raises(AddressRefused):
            bring_in()


def test_what_a_version_may_not_hold_is_left_out_and_told(server, small):
    unwanted = {
        "pytorch_model.bin": b"\x80\x02",
        "modeling_tiny.py": b"import os",
        ".gitattributes": b"*",
        ".github/x.json": b"{}",
        "onnx/config.json": b"{}",
        "onnx/model.onnx": b"x",
        "tf_model.h5": b"\x89HDF",
        "other.safetensors": b"x",
        "model.safetensors.index.json": b"{}",
    }
    for path, data in unwanted.items():
        (small.folder / path).parent.mkdir(exist_ok=True)
        (small.folder / path).write_bytes(data)
    done = bring_in()
    assert done["skipped"] == sorted(unwanted)
    asked = [path for path, _ in server.seen if "/resolve/" in path]
    assert not any(name in path for path in asked for name in unwanted)


def test_hostile_paths_are_left_out(server, small):
    for path in ("../evil.json", "/etc/evil.json", "a//b.json", "con.json", "a\0.json", "\ud800"):
        small.extra.append({"type": "file", "path": path, "size": 1, "oid": "0" * 40})
    assert bring_in()["n_skipped"] == 6


def test_sharded_weights_are_taken_with_their_index(server, small, tmp_path):
    small.folder = build_sharded_dir(tmp_path / "sharded")
    (small.folder / "consolidated.safetensors").write_bytes(b"x")
    assert bring_in()["skipped"] == ["consolidated.safetensors"]
    assert "model-00002-of-00002.safetensors" in files_of(Version.objects.get())


def test_a_repository_without_safetensors_is_refused_before_a_file_is_read(server, small):
    (small.folder / "model.safetensors").rename(small.folder / "pytorch_model.bin")
    with pytest.raises(ContentRefused, match="safetensors"):
        bring_in()
    assert not any("/resolve/" in path for path, _ in server.seen)
    assert Operation.objects.get().error_code == "content_refused"


def test_bytes_that_are_not_the_promised_ones_are_refused_and_thrown_away(server, small, store):
    real = (small.folder / "model.safetensors").read_bytes()
    small.lies["model.safetensors"] = real[:-1] + bytes([real[-1] ^ 1])
    with pytest.raises(SourceUnreadable, match="hash"):
        bring_in()
    assert not Version.objects.exists()
    small.lies.clear()
    assert bring_in()["is_new"]


def test_a_small_file_is_verified_by_its_git_id(server, small):
    small.lies["config.json"] = (small.folder / "config.json").read_bytes().replace(b"b", b"c", 1)
    with pytest.raises(SourceUnreadable, match=r"config\.json"):
        bring_in()


def test_a_file_that_stops_is_an_error_and_one_that_goes_on_is_cut_at_its_size(server, small):
    real = (small.folder / "config.json").read_bytes()
    small.lies["config.json"] = real[:-5]
    with pytest.raises(SourceUnreachable, match="too early"):
        bring_in()
    small.lies["config.json"] = real + b"x" * 100
    assert bring_in()["is_new"]


def test_a_connection_that_breaks_is_taken_up_where_it_ended(server, small):
    small.cut_after, small.n_cuts = 50, 3
    assert bring_in()["is_new"]
    ranges = [seen.get("Range") for _, seen in server.seen]
    assert "bytes=100-" in ranges
    assert "bytes=50-" in ranges


def test_a_server_that_ignores_ranges_is_read_past_what_is_here(server, small):
    small.cut_after, small.n_cuts, small.ignores_range = 100, 1, True
    assert bring_in()["is_new"]


def test_a_server_that_breaks_again_and_again_is_given_up(server, small):
    small.cut_after, small.n_cuts = 0, 1000
    with pytest.raises(SourceUnreachable):
        bring_in()


def test_what_had_arrived_before_a_failure_is_not_asked_for_again(server, small, monkeypatch):
    monkeypatch.setattr(downloads, "TRIES", 0)
    small.cut_after, small.n_cuts = 100, 1
    with pytest.raises(SourceUnreachable):
        bring_in()
    n_seen = len(server.seen)
    assert bring_in()["is_new"]
    asked = {path: seen.get("Range") for path, seen in server.seen[n_seen:] if "/resolve/" in path}
    assert "bytes=100-" in asked.values()


def test_nothing_is_left_of_a_finished_import(server, store):
    bring_in()
    assert list((store.root / "partial").iterdir()) == []
    assert list(store.stagings.iterdir()) == []


def test_lfs_files_may_come_from_another_host_which_gets_no_token(server, small, settings):
    with serve(lambda request: SmallHub.send_file(small, request, weights)) as cdn:
        weights = (small.folder / "model.safetensors").read_bytes()
        settings.BELLWETHER_IMPORT_ENDPOINTS.append(cdn.url)
        settings.HF_TOKEN = small.needs_token = "hf_secret"
        small.files_at = cdn.url
        assert bring_in()["is_new"]
        assert len(cdn.seen) == 1
        assert "Authorization" not in cdn.seen[0][1]


def test_another_host_inside_the_network_is_refused(server, small):
    small.files_at = "https://127.0.0.1"
    with pytest.raises(AddressRefused):
        bring_in()


def test_a_token_is_sent_and_kept_nowhere(server, small, settings, caplog, store):
    settings.HF_TOKEN = small.needs_token = "hf_secret"
    bring_in()
    kept = [
        str(row.__dict__) for table in (Operation, Event, Version) for row in table.objects.all()
    ]
    assert not any("hf_secret" in text for text in [*kept, caplog.text])
    small.needs_token = "hf_another"
    with pytest.raises(SourceUnreadable) as caught:
        bring_in()
    assert "hf_secret" not in caught.value.message


@pytest.mark.parametrize("source", ["org/none", "none"])
def test_a_model_that_is_not_there_is_said_to_be_missing(server, source):
    with pytest.raises(SourceUnreadable, match=f"no {source} at revision main"):
        bring_in(source=source)


@pytest.mark.parametrize("sha", ["main", "", "C0FFEE" + "0" * 34, "0" * 39])
def test_an_endpoint_that_names_no_commit_is_refused(server, small, sha):
    small.sha = sha
    with pytest.raises(SourceUnreachable, match="commit"):
        bring_in()


@pytest.mark.parametrize(
    "entry",
    [
        {"path": 7, "size": 1, "oid": "0" * 40},
        {"path": "a.json", "size": -1, "oid": "0" * 40},
        {"path": "a.json", "size": True, "oid": "0" * 40},
        {"path": "a.json", "size": "1", "oid": "0" * 40},
        {"path": "a.json", "size": 1, "oid": "x"},
        {"path": "a.json", "size": 1},
        {"path": "a.json", "size": 1, "oid": "0" * 40, "lfs": {"size": 1}},
        {"path": "a.json", "size": 1, "oid": "0" * 40, "lfs": {"oid": "0" * 40, "size": 1}},
    ],
)
def test_a_listing_that_is_no_listing_is_refused(server, small, entry):
    small.extra.append({"type": "file", **entry})
    with pytest.raises(SourceUnreachable):
        bring_in()


def test_names_that_collide_are_refused(server, small):
    small.extra.append({"type": "file", "path": "Config.json", "size": 1, "oid": "0" * 40})
    with pytest.raises(ContentRefused, match="collide"):
        bring_in()


def test_the_same_files_with_another_pooling_conflict(server):
    bring_in()
    with pytest.raises(VersionConflict):
        bring_in(pooling="cls")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"source": "a/b/c"}, InvalidField),
        ({"source": "../x"}, InvalidField),
        ({"source": "a/b?x=1"}, InvalidField),
        ({"source": ""}, InvalidField),
        ({"name": "tiny"}, InvalidName),
        ({"revision": "a\nb"}, InvalidField),
        ({"revision": "x" * 300}, InvalidField),
        ({"pooling": "sum"}, InvalidField),
        ({"note": "x" * 501}, InvalidField),
        ({"endpoint": "https://elsewhere.example"}, EndpointNotAllowed),
        ({"endpoint": "ftp://elsewhere.example"}, AddressRefused),
        ({"endpoint": "https://hf@elsewhere.example"}, AddressRefused),
        ({"endpoint": "https://elsewhere.example/hub", "is_any_endpoint": True}, InvalidField),
    ],
)
def test_wrong_parameters_are_refused_before_anything_is_done(options, error, settings):
    settings.BELLWETHER_IMPORT_ENDPOINTS = ["https://hub.example"]
    with pytest.raises(error):
        importing.check_import(**{"source": "org/tiny", "name": NAME, **options})


def test_imports_can_be_switched_off(settings):
    settings.BELLWETHER_IMPORT_ENDPOINTS = []
    with pytest.raises(EndpointNotAllowed, match="switched off"):
        importing.check_import("org/tiny", NAME)


def test_the_command_may_name_another_endpoint_but_not_one_inside(server, settings):
    settings.BELLWETHER_IMPORT_ENDPOINTS = []
    with pytest.raises(AddressRefused):
        bring_in(endpoint=server.url, is_any_endpoint=True)
    assert not server.seen


def test_the_command_says_what_it_made(server, small):
    (small.folder / "pytorch_model.bin").write_bytes(b"x")
    out, err = StringIO(), StringIO()
    call_command("import", "org/tiny", NAME, "--promote", stdout=out, stderr=err)
    assert out.getvalue().startswith("registered team/tiny version 1 (digest ")
    assert out.getvalue().strip().endswith(f"from commit {SHA[:12]}; it is live")
    assert "left out pytorch_model.bin" in err.getvalue()
    call_command("import", "org/tiny", NAME, stdout=out)
    assert "nothing new" in out.getvalue()


def test_the_command_says_what_went_wrong(server):
    with pytest.raises(CommandError, match="HF_TOKEN"):
        call_command("import", "org/none", NAME)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_killed_import_goes_on_where_it_ended(small, tmp_path):
    """The command is killed with -9 in the middle of the weights, then started again."""
    folder = build_model_dir(tmp_path / "large")
    write_large(folder / "model.safetensors")
    small.folder = folder
    slow = SlowHub(small)
    with serve(slow) as server:
        home = tmp_path / "imported"
        environment = os.environ | {
            "BELLWETHER_HOME": str(home),
            "BELLWETHER_IMPORT_ENDPOINTS": server.url,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": "",
        }
        manage(environment, "migrate", "-v", "0")
        process = start(environment, "import", "org/tiny", NAME)
        partial = home / "artifacts" / "partial"
        wait_for(lambda: any(size > 4_000_000 for size in sizes_in(partial)))
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        arrived = max(sizes_in(partial))
        slow.delay_s, n_seen = 0.0, len(server.seen)
        assert "registered team/tiny version 1" in manage(environment, "import", "org/tiny", NAME)
        starts = [int(seen["Range"][6:-1]) for _, seen in server.seen[n_seen:] if "Range" in seen]
        assert starts == [arrived]
        assert "sound" in manage(environment, "verify", NAME)


class SlowHub:
    """Sends the weights piece by piece."""

    def __init__(self, small: SmallHub) -> None:
        self.small, self.delay_s = small, 0.05
        small.send_file = self.send_file  # type: ignore[method-assign]

    def __call__(self, request) -> None:
        self.small(request)

    def send_file(self, request, data: bytes) -> None:
        start = int(request.headers.get("Range", "bytes=0-")[6:-1])
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        request.send_header("Content-Length", str(len(data) - start))
        request.end_headers()
        for at in range(start, len(data), 500_000):
            request.wfile.write(data[at : at + 500_000])
            time.sleep(self.delay_s if len(data) > 1_000_000 else 0)


def write_large(path: Path) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    save_file({"weight": np.random.default_rng(0).normal(size=5_000_000).astype("f4")}, path)


def manage(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def start(environment: dict[str, str], *arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "manage.py", *arguments], env=environment)


def sizes_in(folder: Path) -> list[int]:
    return [path.stat().st_size for path in folder.rglob("*") if path.is_file()] or [0]


def wait_for(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
