import json
import subprocess
import sys

SCRIPT = """
import logging
from config import logs
logs.configure(level="info", shape="{shape}")
def fail(api_key):
    raise ValueError("no")
try:
    fail("very-secret")
except ValueError:
    logging.getLogger("test").exception("it failed for %s", "somebody")
"""


def _lines(shape: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(shape=shape)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_json_lines_carry_level_logger_time_and_traceback():
    line = json.loads(_lines("json"))
    assert (line["event"], line["level"], line["logger"]) == (
        "it failed for somebody",
        "error",
        "test",
    )
    assert line["timestamp"].endswith("Z")
    assert line["exception"][0]["exc_type"] == "ValueError"


def test_no_shape_of_line_shows_local_variables():
    for shape in ("json", "console"):
        assert "very-secret" not in _lines(shape)


BACKGROUND = """
import logging
from config import logs
logs.configure(level="info", shape="json")
with logs.written_in_background():
    for number in range(100):
        logging.getLogger("test").info("line %d", number)
logging.getLogger("test").info("after")
"""


def test_lines_written_in_the_background_are_all_there_and_in_order():
    done = subprocess.run(
        [sys.executable, "-c", BACKGROUND], capture_output=True, text=True, timeout=60
    )
    events = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert events == [*(f"line {number}" for number in range(100)), "after"]
