"""A database of its own for each home, where the tests run on PostgreSQL."""

import hashlib
import os
from pathlib import Path


def create_for(home: Path) -> dict[str, str]:
    """Return the environment that points a server at `home`'s own database, made if it is missing.

    Empty on SQLite, which lives in the home folder anyway.
    """
    server = os.environ.get("DATABASE_URL", "")
    if not server.startswith("postgres"):
        return {}
    name = _name(home)
    with _admin(server) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
        if found.fetchone() is None:
            connection.execute(f'CREATE DATABASE "{name}"')
    return {"DATABASE_URL": f"{server.rpartition('/')[0]}/{name}"}


def drop_for(home: Path) -> None:
    """Drop `home`'s database, if there is one."""
    server = os.environ.get("DATABASE_URL", "")
    if server.startswith("postgres"):
        with _admin(server) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{_name(home)}" WITH (FORCE)')


def _name(home: Path) -> str:
    return f"bellwether_e2e_{hashlib.sha256(str(home).encode()).hexdigest()[:12]}"


def _admin(server: str):
    import psycopg

    return psycopg.connect(server, autocommit=True)
