"""Archives as versions: from a file on this machine, or from one that was uploaded."""

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from registry import durable
from registry.errors import SourceUnreadable
from registry.location import open_store
from registry.names import parse_model_name
from registry.services.common import check_text
from registry.services.importing import conclude
from registry.services.operations import Watch, worker
from registry.services.registration import Registration, check_pooling, register_source
from registry.sources.archive import ArchiveSource
from registry.specs import OperationKind
from registry.store import Progress

# An upload that nobody has worked on for so long is removed.
KEPT_S = 86_400.0


def check_upload(
    name: str, *, pooling: str | None = None, note: str = "", promote: bool = False
) -> dict[str, Any]:
    """The parameters of an archive operation without its upload, checked.

    Raises InvalidName or InvalidField.
    """
    parse_model_name(name)
    chosen, checked = check_pooling(pooling or None), check_text("note", note)
    return {"name": name, "pooling": chosen, "note": checked, "promote": promote}


def upload_title(parameters: Mapping[str, Any]) -> str:
    """What people read in the list of operations."""
    return f"unpack an archive as {parameters['name']}"


def make_upload() -> tuple[str, Path]:
    """A name for an upload, and where its bytes go; old ones that nobody worked are removed."""
    folder = _folder()
    durable.make_folder(folder)
    for left in folder.iterdir():
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > KEPT_S:
                left.unlink()
    upload = uuid4().hex
    return upload, folder / upload


def register_archive(
    archive: Path,
    name: str,
    *,
    actor: str,
    pooling: str | None = None,
    note: str = "",
    progress: Progress | None = None,
) -> Registration:
    """Make the files of an archive the next version of `name`; see `register_source`.

    For commands and workers: no path ever comes from a request. Raises ArchiveRefused besides.
    """
    parse_model_name(name)
    try:
        size = archive.stat().st_size
    except OSError as error:
        raise SourceUnreadable(f"cannot read the archive: {error.strerror}") from error
    with open_store().open_staging() as staging:

        def on_bytes(n_bytes: int) -> None:
            staging.touch()
            if progress is not None:
                progress(0, size)

        return register_source(
            ArchiveSource(archive, staging.files, on_bytes),
            name,
            actor=actor,
            pooling=pooling,
            note=note,
            progress=progress,
        )


@worker(OperationKind.ARCHIVE)
def _unpack(watch: Watch) -> dict[str, Any]:
    """Unpack an upload and register what it holds; the upload is gone afterwards."""
    asked = watch.parameters
    archive = _folder() / Path(asked["upload"]).name
    if not archive.is_file():
        raise SourceUnreadable("the uploaded archive is gone: upload it again")
    try:
        done = register_archive(
            archive,
            asked["name"],
            actor=watch.actor,
            pooling=asked["pooling"],
            note=asked["note"],
            progress=watch,
        )
    finally:
        archive.unlink(missing_ok=True)
    return conclude(watch, done)


def _folder() -> Path:
    return open_store().root / "archives"
