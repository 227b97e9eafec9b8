"""What holds for every test: without its service a test skips, and not where one is promised."""

import os
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

# Other processes share the cores: how long an example takes says nothing.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")

_LONG_FOLDERS = frozenset({"benchmarks", "browser", "conformance", "crash"})
_BROWSER = "tests/browser/"
_DATABASE = frozenset({"db", "transactional_db"})
# Where tests ask programs from outside, but no database.
_OF_SERVICES = (
    "tests/access/test_ratelimit.py",
    "tests/alertmanager/",
    "tests/conformance/",
    "tests/inference/test_huggingface_clients.py",
    "tests/inference/test_redis_memory.py",
)


class _ByFile(LoadFileScheduling):  # type: ignore[misc]  # untyped
    """Each file to one worker, and all of the browser's to the same: they share a server with a
    past, which takes longer to make than most of them to run.
    """

    def _split_scope(self, nodeid: str) -> str:
        return _BROWSER if nodeid.startswith(_BROWSER) else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: Any, log: Any) -> _ByFile:
    return _ByFile(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: Any, items: list[Any]) -> None:
    """Files with servers or many processes come first: run last, one long file would keep one core
    busy while the others wait. Where everything is there, only what says more there is run.
    """
    if _is_all_there():
        config.hook.pytest_deselected(items=[each for each in items if not _says_more(each)])
        items[:] = filter(_says_more, items)
    for item in items:
        if item.nodeid.startswith(_BROWSER):
            # Whichever comes first makes the server and its past as well.
            item.add_marker(pytest.mark.timeout(600))
    long = {item.path for item in items if _is_long(item)}
    # The browser's stay together: what they share ends with the last of them.
    items.sort(key=lambda item: (not item.nodeid.startswith(_BROWSER), item.path not in long))


def _says_more(item: Any) -> bool:
    """Whether to run it once more, where PostgreSQL, Redis and the programs from outside are.

    All that starts a server or asks a program from outside; and of what touches the database each
    test once, with its first parameters: the others mostly are wrong values that are refused, and
    what is asked of the database is the same. Where it is not, the test says `each_on_postgres`.
    """
    if item.get_closest_marker("e2e") or item.nodeid.startswith(_OF_SERVICES):
        return True
    needs_database = item.get_closest_marker("django_db") or not _DATABASE.isdisjoint(
        item.fixturenames
    )
    return bool(needs_database and (_is_first(item) or item.get_closest_marker("each_on_postgres")))


def _is_first(item: Any) -> bool:
    callspec = getattr(item, "callspec", None)
    return callspec is None or not any(callspec.indices.values())


def _is_all_there() -> bool:
    return bool(os.environ.get("BELLWETHER_NO_SKIPS"))


def _is_long(item: Any) -> bool:
    marks = ("e2e", "slow")
    return any(map(item.get_closest_marker, marks)) or item.path.parent.name in _LONG_FOLDERS


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Any:
    """What failed says what servers logged meanwhile: a status 500 alone tells nothing."""
    report = yield
    servers = sys.modules.get("tests.e2e.server")
    if errors := servers.show_errors() if servers and report.failed else "":
        report.sections.append(("errors that servers logged", errors))
    return report


def pytest_sessionfinish(session: Any, exitstatus: int) -> None:
    """With BELLWETHER_NO_SKIPS a skipped test fails the run: there everything it needs is there."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if _is_all_there() and skipped and exitstatus == 0:
        session.exitstatus = 1
        reporter.write_line(
            f"{len(skipped)} tests skipped, and none may skip in this run", red=True
        )
