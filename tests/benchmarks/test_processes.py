import math
import os
import time
from pathlib import Path

import pytest

from benchmarks.processes import answers, call, cpu_s, free_port, is_listening, python, running

FOREVER = python("-c", "import time; print('up', flush=True); time.sleep(60)")


def test_a_process_lives_as_long_as_its_block(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with running(FOREVER, environ={}, log=log, is_ready=lambda: "up" in log.read_text()) as process:
        assert process.poll() is None
    assert process.poll() is not None


def test_a_process_is_ended_when_its_block_fails(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="mine"),
        running(FOREVER, environ={}, log=tmp_path / "log", is_ready=lambda: True) as process,
    ):
        raise ValueError("mine")
    assert process.poll() is not None


def test_a_process_that_dies_tells_why(tmp_path: Path) -> None:
    command = python("-c", "raise SystemExit('no model here')")
    with (
        pytest.raises(RuntimeError, match="no model here"),
        running(command, environ={}, log=tmp_path / "log", is_ready=lambda: False),
    ):
        pytest.fail("a dead process is not ready")


def test_waiting_for_a_process_has_a_limit(tmp_path: Path) -> None:
    started = time.monotonic()
    with (
        pytest.raises(RuntimeError, match="did not get ready"),
        running(FOREVER, environ={}, log=tmp_path / "log", is_ready=lambda: False, start_s=0.3),
    ):
        pytest.fail("it never said that it is ready")
    assert time.monotonic() - started < 10


def test_a_failed_call_tells_why() -> None:
    assert call(python("-c", "print(1)"), environ={}, timeout_s=30) == b"1\n"
    with pytest.raises(RuntimeError, match="wrong"):
        call(python("-c", "raise SystemExit('wrong')"), environ={}, timeout_s=30)
    with pytest.raises(RuntimeError, match="more than 0 s"):
        call(FOREVER, environ={}, timeout_s=0.2)


def test_nobody_listens_on_a_free_port() -> None:
    port = free_port()
    assert not is_listening(port)
    assert not answers(port, "/")


def test_cpu_time_of_a_stranger_is_unknown() -> None:
    assert cpu_s(os.getpid()) > 0
    assert math.isnan(cpu_s(2**22 + 1))
