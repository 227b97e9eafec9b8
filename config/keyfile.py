"""Secrets that a first start makes for itself and keeps in the home folder."""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path


def read_or_create(path: Path) -> str:
    """Return the secret in `path`; make one first if there is none.

    The file is private (mode 0600) and complete from the moment it is there, also when several
    processes start at once: the first to link its own in wins, and all read that one.
    """
    if not path.exists():
        handle, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_urlsafe(50))
            with suppress(FileExistsError):
                os.link(fresh, path)
        finally:
            os.unlink(fresh)
    return path.read_text().strip()
