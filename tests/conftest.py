"""What holds for every test: without its service a test skips, and not where one is promised."""

import os
from typing import Any

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Tests with servers of their own come first: run last, one long file would keep one core busy
    while the others wait.
    """
    items.sort(key=lambda item: item.get_closest_marker("e2e") is None)


def pytest_sessionfinish(session: Any, exitstatus: int) -> None:
    """With BELLWETHER_NO_SKIPS a skipped test fails the run: there everything it needs is there."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if os.environ.get("BELLWETHER_NO_SKIPS") and skipped and exitstatus == 0:
        session.exitstatus = 1
        reporter.write_line(
            f"{len(skipped)} tests skipped, and none may skip in this run", red=True
        )
