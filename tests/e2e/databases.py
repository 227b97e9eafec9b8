"""A migrated database for each home: a copy of one that is made once for all runs of these tables.

On PostgreSQL each home has a database of its own, on SQLite it lies in the home.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FILE = "bellwether.sqlite3"
_MIGRATE_S = 120.0


def create_for(home: Path, *, like: Path | None = None) -> dict[str, str]:
    """Give `home` its database, if it has none, and return the environment that points at it.

    It is a copy of that of the home `like`, or a fresh one with all its tables. Empty on SQLite.
    """
    server = _server()
    if not server:
        if like is None and not (home / FILE).exists():
            home.mkdir(parents=True, exist_ok=True)
            shutil.copy(_template_file(), home / FILE)
        return {}
    with _admin(server) as connection:
        if not _exists(connection, _name(home)):
            _copy(connection, _name(like) if like else _template_name(server), _name(home))
    return _url(server, _name(home))


def drop_for(home: Path) -> None:
    """Drop `home`'s database, if there is one."""
    if server := _server():
        with _admin(server) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{_name(home)}" WITH (FORCE)')


def _template_file() -> Path:
    with _alone() as folder:
        made = folder / FILE
        if not made.exists():
            home = folder / "home"
            _migrate({"BELLWETHER_HOME": str(home)})
            (home / FILE).rename(made)
        return made


def _template_name(server: str) -> str:
    with _alone() as folder, _admin(server) as connection:
        name = f"bellwether_{folder.name.replace('-', '_')}"
        if not _exists(connection, name):
            connection.execute(f'CREATE DATABASE "{name}_new"')
            home = {"BELLWETHER_HOME": str(folder / "postgres")}
            _migrate(home | _url(server, f"{name}_new"))
            connection.execute(f'ALTER DATABASE "{name}_new" RENAME TO "{name}"')
        return name


@contextmanager
def _alone() -> Iterator[Path]:
    """A folder for the template of just these migrations, while no other process is in it."""
    folder = Path(tempfile.gettempdir()) / f"template-{_digest()}"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _digest() -> str:
    """What the tables depend on: our migrations, and the versions of what brings its own."""
    found = hashlib.sha256()
    for path in sorted([*ROOT.glob("*/migrations/*.py"), *ROOT.glob("requirements/*.txt")]):
        found.update(path.read_bytes())
    return found.hexdigest()[:12]


def _migrate(environment: dict[str, str]) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v", "0"],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", **environment},
        check=True,
        timeout=_MIGRATE_S,
    )


def _server() -> str:
    server = os.environ.get("DATABASE_URL", "")
    return server if server.startswith("postgres") else ""


def _url(server: str, name: str) -> dict[str, str]:
    return {"DATABASE_URL": f"{server.rpartition('/')[0]}/{name}"}


def _name(home: Path) -> str:
    return f"bellwether_e2e_{hashlib.sha256(str(home).encode()).hexdigest()[:12]}"


def _admin(server: str) -> Any:
    import psycopg

    return psycopg.connect(server, autocommit=True)


def _exists(connection: Any, name: str) -> bool:
    found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
    return found.fetchone() is not None


def _copy(connection: Any, source: str, name: str) -> None:
    connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
