"""What holds for every test: without its service a test skips, and not where one is promised."""

import os
from typing import Any


def pytest_sessionfinish(session: Any, exitstatus: int) -> None:
    """With BELLWETHER_NO_SKIPS a skipped test fails the run: there everything it needs is there."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if os.environ.get("BELLWETHER_NO_SKIPS") and skipped and exitstatus == 0:
        session.exitstatus = 1
        reporter.write_line(
            f"{len(skipped)} tests skipped, and none may skip in this run", red=True
        )
