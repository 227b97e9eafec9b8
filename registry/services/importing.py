"""Bringing in a model from a Hub endpoint or an archive, as operations that can be watched."""

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from registry.addresses import origin_of
from registry.errors import EndpointNotAllowed, InvalidField, StoreFull
from registry.location import open_store
from registry.names import parse_model_name
from registry.netguard import GuardedClient
from registry.services.common import check_text
from registry.services.operations import Watch, worker
from registry.services.registration import Registration, check_pooling, register_source
from registry.services.routing import promote
from registry.sources import partials
from registry.sources.hub import (
    DEFAULT_REVISION,
    HubSource,
    check_repo,
    check_revision,
    load_revision,
)
from registry.sources.partials import Partials
from registry.specs import OperationKind
from registry.store import SPARE_BYTES

# How many left-out paths an operation's result lists.
MAX_TOLD = 50


def check_import(
    source: str,
    name: str,
    *,
    revision: str | None = None,
    endpoint: str | None = None,
    pooling: str | None = None,
    note: str = "",
    promote: bool = False,
    is_any_endpoint: bool = False,
) -> dict[str, Any]:
    """The parameters of an import operation, checked.

    `is_any_endpoint` is for commands: an endpoint that is not in BELLWETHER_IMPORT_ENDPOINTS may
    then be named, but not one inside the network. Raises InvalidName, InvalidField,
    EndpointNotAllowed or AddressRefused.
    """
    parse_model_name(name)
    return {
        "source": check_repo(source),
        "name": name,
        "revision": check_revision(revision or DEFAULT_REVISION),
        "endpoint": _check_endpoint(endpoint, is_any=is_any_endpoint),
        "pooling": check_pooling(pooling),
        "note": check_text("note", note),
        "promote": promote,
    }


def import_title(parameters: Mapping[str, Any]) -> str:
    """What people read in the list of operations."""
    host = origin_of(parameters["endpoint"]).host
    return (
        f"import {parameters['source']} at {parameters['revision'][:40]} from {host[:60]} "
        f"as {parameters['name']}"
    )


@worker(OperationKind.IMPORT)
def _import(watch: Watch) -> dict[str, Any]:
    """Resolve the revision, download what a version may hold of it, register, perhaps promote."""
    asked, store = watch.parameters, open_store()
    endpoint = asked["endpoint"]
    folder = store.root / "partial"
    partials.prune(folder, now=time.time())
    client = _client(endpoint)
    watch.say("reading the list of files")
    at = load_revision(client, endpoint, asked["source"], asked["revision"])
    key = partials.key_of(endpoint, at.repo, at.sha)
    claimed = Partials.claim(folder, key)
    with HubSource(client, endpoint, at, claimed) as source:
        _check_room(folder, sum(source.sizes.values()))
        watch.say("downloading")
        done = register_source(
            source,
            asked["name"],
            actor=watch.actor,
            pooling=asked["pooling"],
            note=asked["note"],
            progress=watch,
        )
    return conclude(watch, done) | {"revision": at.sha}


def conclude(watch: Watch, done: Registration) -> dict[str, Any]:
    """Promote when that was asked for; returns what the operation's result says."""
    version = done.version
    if watch.parameters["promote"]:
        promote(version.model, version.number, actor=watch.actor, reason=watch.parameters["note"])
    watch.say("")
    return {
        "model": version.model,
        "version": version.number,
        "digest": version.digest,
        "is_new": done.is_new,
        "state": done.state.value,
        "promoted": watch.parameters["promote"],
        "n_skipped": len(done.skipped),
        "skipped": list(done.skipped[:MAX_TOLD]),
    }


def _client(endpoint: str) -> GuardedClient:
    allowed: list[str] = settings.BELLWETHER_IMPORT_ENDPOINTS
    # Only endpoints that an administrator has listed get to see it.
    token = settings.HF_TOKEN if _is_listed(endpoint) else ""
    return GuardedClient(endpoint, trusted=allowed, token=token or None)


def _is_listed(endpoint: str) -> bool:
    origin = origin_of(endpoint)
    return any(origin_of(allowed) == origin for allowed in settings.BELLWETHER_IMPORT_ENDPOINTS)


def _check_endpoint(endpoint: str | None, *, is_any: bool) -> str:
    allowed: list[str] = settings.BELLWETHER_IMPORT_ENDPOINTS
    if not endpoint and not allowed:
        raise EndpointNotAllowed(
            "imports are switched off here: BELLWETHER_IMPORT_ENDPOINTS is empty",
            details={"allowed": []},
        )
    chosen = (endpoint or allowed[0]).rstrip("/")
    scheme, host, port = origin_of(chosen)
    if chosen.partition("://")[2].partition("/")[1]:
        raise InvalidField(
            "endpoint must be scheme, host and port only", details={"field": "endpoint"}
        )
    if not is_any and not _is_listed(chosen):
        raise EndpointNotAllowed(
            f"imports from {scheme}://{host}:{port} are not allowed here: use one of "
            f"{', '.join(allowed) or 'none'}, or have it added to BELLWETHER_IMPORT_ENDPOINTS",
            details={"allowed": allowed},
        )
    return chosen


def _check_room(folder: Path, n_bytes: int) -> None:
    # The download is kept until its copy is registered.
    needed, free = 2 * n_bytes + SPARE_BYTES, shutil.disk_usage(folder).free
    if needed > free:
        raise StoreFull(
            f"an import needs {needed} bytes and {free} are free: make room",
            details={"needed": needed, "free": free},
        )


def sentence(done: Mapping[str, Any]) -> str:
    """What a finished import or upload says of itself."""
    what = f"{done['model']} version {done['version']} (digest {done['digest'][:12]})"
    said = f"registered {what}" if done["is_new"] else f"nothing new: these files are {what}"
    if done.get("revision"):
        said += f" from commit {done['revision'][:12]}"
    return f"{said}; it is live" if done["promoted"] else said
