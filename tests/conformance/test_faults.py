"""What goes wrong between a client and the server: cut lines, restarts, crowds, wrong keys."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from benchmarks.relay import Relay
from tests.conformance import environments
from tests.conformance.conftest import HERE, finish, write_weights
from tests.e2e.server import Server, wait_until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(
        not environments.is_wanted(), reason="BELLWETHER_CLIENTS=1 runs stock clients"
    ),
]
NO_XET = {"HF_HUB_DISABLE_XET": "1"}
CLIENT = "2.4.0"


def target(server: Server) -> tuple[str, int]:
    url = httpx.URL(server.url)
    return url.host, int(url.port or 0)


def sha256s(folder: str) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in Path(folder).iterdir()
    }


def staged(server: Server) -> list[Path]:
    return list((server.home / "artifacts" / "staging").glob("*"))


@pytest.mark.parametrize(("version", "settings"), [("0.36.2", {}), (CLIENT, NO_XET), (CLIENT, {})])
def test_a_push_that_is_cut_off_comes_out_whole_when_repeated(
    machine, server, tmp_path, version, settings
):
    file = write_weights(tmp_path / "model.safetensors", 6_000_000)
    model = f"team/cut-{version}-{len(settings)}"
    with Relay(target(server)) as relay:
        relay.cut_after = 2_000_000
        given = {"model": model, "file": str(file), "tries": 3}
        machine.script(version, "file_script.py", given, url=relay.url, **settings)
        assert relay.cut_after is None
    assert not [row for row in machine.requests("") if row["status"] == 500]
    wait_until(lambda: not staged(server))


def test_a_client_goes_on_after_the_server_was_killed(machine, server, tmp_path):
    """Same address, other process: what the client knows was sent is still there."""
    with Relay(target(server)) as relay:
        first = write_weights(tmp_path / "first.safetensors", 6_000_000)
        given = {"model": "team/restarted", "file": str(first), "tries": 1}
        machine.script(CLIENT, "file_script.py", given, url=relay.url)
        server.kill()
        server.start()
        relay.target = target(server)
        relay.reset()
        second = tmp_path / "second.safetensors"
        data = bytearray(first.read_bytes())
        data[3_000_000:3_000_100] = bytes(100)
        second.write_bytes(data)
        machine.script(CLIENT, "file_script.py", given | {"file": str(second)}, url=relay.url)
        assert relay.n_sent < 600_000


def test_chunks_that_are_gone_cost_one_failure_then_everything_is_sent(machine, server, tmp_path):
    file = write_weights(tmp_path / "first.safetensors", 3_000_000)
    given = {"model": "team/forgotten", "file": str(file), "tries": 1}
    machine.script(CLIENT, "file_script.py", given)
    server.manage("shell", "-c", "from registry.models import Xorb; Xorb.objects.all().delete()")
    file.write_bytes(file.read_bytes()[:-8] + b"changed!")
    python = str(environments.prepare(CLIENT) / "python")
    failing = machine.start(python, str(HERE / "file_script.py"), json.dumps(given))
    output, _ = failing.communicate(timeout=60)
    assert failing.returncode != 0
    assert "400" in output
    machine.script(CLIENT, "file_script.py", given)


def test_eight_clients_push_at_once(machine, server, tmp_path):
    python = str(environments.prepare(CLIENT) / "python")
    running = []
    try:
        for number in range(8):
            file = write_weights(tmp_path / f"{number}.safetensors", 2_000_000, seed=number)
            given = {"model": f"team/crowd-{number}", "file": str(file), "tries": 1}
            running.append(machine.start(python, str(HERE / "file_script.py"), json.dumps(given)))
        for process in running:
            assert "tries 1" in finish(process)
    finally:
        for process in running:
            with suppress(ProcessLookupError):
                process.kill()
    assert not [row for row in machine.requests("") if row["status"] >= 500]


def test_a_client_that_reads_too_fast_waits_and_gets_through(machine, server, folders):
    """As long as the answer tells it to; the library has no such patience with a commit."""
    bin_ = environments.prepare(CLIENT)
    machine.run(bin_ / "hf", "upload", "team/slow", folders["first"], ".")
    key = server.manage("create_key", "slow", "--scope", "read", "--rate", "3/second").strip()
    code = "from huggingface_hub import snapshot_download as get; print(get('team/slow'))"
    folder = machine.run(bin_ / "python", "-c", code, HF_TOKEN=key).splitlines()[-1]
    assert sha256s(folder) == sha256s(folders["first"])
    assert [row for row in machine.requests("team/slow") if row["status"] == 429]


@pytest.mark.parametrize("version", ["0.36.2", CLIENT])
def test_a_key_without_the_scope_may_not_push(machine, server, tmp_path, version):
    key = server.manage("create_key", "reader", "--scope", "read").strip()
    file = write_weights(tmp_path / "model.safetensors", 10_000)
    given = {"model": f"team/readonly-{version}", "file": str(file), "tries": 1}
    python = str(environments.prepare(version) / "python")
    refused = machine.start(python, str(HERE / "file_script.py"), json.dumps(given), HF_TOKEN=key)
    output, _ = refused.communicate(timeout=60)
    assert refused.returncode != 0
    assert "HfHubHTTPError" in output
    assert "403" in output
    assert "push" in output
