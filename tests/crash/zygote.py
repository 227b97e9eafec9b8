"""A process with Django set up that forks a child for every trial, and kills it where it is told.

Started by the tests as `python -m tests.crash.zygote FOLDER`; it answers one JSON line for each it
reads. A fresh interpreter for every point would take seconds each.
"""

import gc
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django

# What changes rows; savepoints and reads are no points of their own.
VERBS = ("INSERT", "UPDATE", "DELETE")


def main(root: Path) -> None:
    django.setup()
    from tests.crash.works import WORKS, WRONG, fill

    # What is frozen no collection of a child's touches, and so copies.
    gc.freeze()
    base = root / "base"
    call(base, lambda: prepare(base, fill))
    for line in sys.stdin:
        asked = json.loads(line)
        work = (WORKS | WRONG)[asked["work"]]
        start, trial = root / asked["work"].replace(" ", "-"), root / "trial"
        if not start.exists():
            copy(base, start)
            call(start, lambda w=work, s=start: w.start(s))
        copy(start, trial)
        answer = try_out(work, trial, asked.get("kill_at"))
        print(json.dumps(answer), flush=True)


def try_out(work: Any, place: Path, kill_at: int | None) -> dict[str, Any]:
    """Run the work, perhaps killed at its n-th point, and say what was found afterwards."""
    from tests.crash.works import facts, faults

    if kill_at is None:
        old = call(place, lambda: facts(place))
        points = call(place, lambda: watched(lambda: work.run(place), None))
        return {"points": points, "old": old, "new": call(place, lambda: facts(place))}

    killed = fork(place, lambda: watched(lambda: work.run(place), kill_at))
    after, first = call(
        place, lambda: (facts(place), faults(place) if work.is_sound_at_once else [])
    )
    call(place, lambda: work.run(place) and None)
    again, last = call(place, lambda: (faults(place) + work.finished(place), facts(place)))
    return {
        "killed": killed[0] == signal.SIGKILL,
        "output": killed[1],
        "after": after,
        "faults": first,
        "faults_again": again,
        "last": last,
    }


def watched(run: Callable[[], object], kill_at: int | None) -> list[str]:
    """Run with every point counted; at the one numbered `kill_at` this process kills itself."""
    from django.db import connection

    from registry import steps

    points: list[str] = []

    def reach(label: str) -> None:
        points.append(str(label))
        if kill_at == len(points) - 1:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if sql.startswith(VERBS):
            reach(f"{sql.split()[0].lower()} {sql.split(chr(34))[1]}")
        return result

    commit = connection._commit

    def commit_between() -> None:
        reach("before commit")
        commit()
        reach("after commit")

    connection._commit = commit_between
    steps.listener = reach
    with connection.execute_wrapper(around):
        run()
    return points


def call(place: Path, work: Callable[[], Any]) -> Any:
    """Do `work` in a child that is pointed at `place`; returns its JSON answer."""
    status, answer = fork(place, work)
    if status != 0:
        raise RuntimeError(f"ended with {status}: {answer}")
    return answer


def fork(place: Path, work: Callable[[], Any]) -> tuple[int, Any]:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        status = 0
        try:
            point_at(place)
            answer = work()
        except BaseException:
            status, answer = 1, traceback.format_exc()
        with os.fdopen(writer, "w") as pipe:
            json.dump(answer, pipe)
        os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return abs(code), json.loads(text) if text else None


def point_at(place: Path) -> None:
    from django.conf import settings
    from django.db import connections

    settings.BELLWETHER_HOME = place / "home"
    connections.settings["default"]["NAME"] = str(place / "home" / "db.sqlite3")
    connections["default"].settings_dict["NAME"] = str(place / "home" / "db.sqlite3")


def prepare(place: Path, fill: Callable[[Path], None]) -> None:
    from django.core.management import call_command

    (place / "home").mkdir(parents=True)
    call_command("migrate", verbosity=0)
    fill(place)


def copy(source: Path, place: Path) -> None:
    """Copy a place with its hard links as they are."""
    if place.exists():
        subprocess.run(["chmod", "-R", "u+w", str(place)], check=True)
        subprocess.run(["rm", "-rf", str(place)], check=True)
    subprocess.run(["cp", "-a", str(source), str(place)], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
