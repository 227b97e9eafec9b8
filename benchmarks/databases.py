"""A database of one's own for a run, made before and removed after it."""

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from benchmarks.processes import call, python

MIGRATE_S = 300.0


@contextmanager
def fresh(server: str = "") -> Iterator[dict[str, str]]:
    """The environment of a fresh installation: SQLite in a folder, or a new database of `server`.

    `server` is a PostgreSQL URL whose user may create databases. Raises what psycopg raises.
    """
    with tempfile.TemporaryDirectory(prefix="bellwether-bench-") as folder, _url(server) as url:
        environ = _environment(Path(folder), url)
        call(
            python("manage.py", "migrate", "--verbosity", "0"), environ=environ, timeout_s=MIGRATE_S
        )
        yield environ


@contextmanager
def _url(server: str) -> Iterator[str]:
    if not server:
        yield ""
        return
    import psycopg

    name = f"bellwether_bench_{uuid.uuid4().hex[:12]}"
    parts = urlsplit(server)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlunsplit(parts._replace(path=f"/{name}"))
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _environment(home: Path, url: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BELLWETHER_", "DATABASE_URL", "REDIS_URL", "DJANGO_"))
    }
    return kept | {
        "BELLWETHER_HOME": str(home),
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
