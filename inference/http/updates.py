"""The classic `/update-model`: one registered version shall answer, named as that API names it."""

import asyncio
import re
import time
from typing import Annotated, Any, Literal

import msgspec

from access.database import in_thread
from access.scopes import Scope
from inference.errors import PathNotAccepted
from inference.http.endpoints import Endpoint, Received, Reply
from registry.deployment import Deployment, load_deployment
from registry.errors import VersionNotRoutable
from registry.services.swaps import promote_revision
from registry.specs import VersionSpec

# Its callers expect the new model to answer when this returns; a slow load they must ask about.
WAIT_S = 20.0
# Once that is committed, every process that is well answers with it within a poll of the registry.
CONVERGE_S = 2.0
POLL_S = 0.05
_MAX = msgspec.Meta(min_length=1, max_length=300)
_LOOKS_LIKE_PATH = re.compile(r"[/\\~.]|[A-Za-z]:|[^/]*/[^/]*/|.*\\|.*://|[^/]*/$")


class UpdateModelRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`model_path` is a registered name, `version_name` a version, tag or alias of it."""

    model_path: Annotated[str, _MAX]
    version_name: Annotated[str, _MAX]


class UpdateModelReply(msgspec.Struct, frozen=True):
    """`status` is preparing where the version could not be loaded in time; it still may be."""

    message: str
    model: str
    version: int
    digest: str
    status: Literal["active", "preparing"]
    generation: int


def update_endpoint() -> Endpoint[Any]:
    """Return `POST /update-model`."""
    return Endpoint(
        method="POST",
        path="/update-model",
        handler=update_model,
        scope=Scope.PROMOTE,
        body=UpdateModelRequest,
        reply=UpdateModelReply,
        summary="Let a registered version answer",
        tag="classic",
        dialect="classic",
    )


async def update_model(received: Received[UpdateModelRequest]) -> Reply:
    """Promote the version, and wait until it answers.

    Raises PathNotAccepted for anything that looks like a path, VersionNotRoutable when the version
    fails on the way (what served goes on serving), and what naming a version wrongly raises.
    """
    model, revision = received.body.model_path, received.body.version_name
    check_is_name(model)
    actor = f"{received.key.name} ({received.key.id})"
    spec = await in_thread(lambda: promote_revision(model, revision, actor=actor))
    deployment = await _wait_answering(spec)
    is_active = deployment.state == "committed"
    message = f"{model} version {spec.number} " + (
        "answers now" if is_active else "is being prepared; what answered before goes on"
    )
    status: Literal["active", "preparing"] = "active" if is_active else "preparing"
    return Reply(
        UpdateModelReply(message, model, spec.number, spec.digest, status, deployment.generation)
    )


def check_is_name(model_path: str) -> None:
    """Raise PathNotAccepted for what looks like a path, whether or not one is there."""
    if _LOOKS_LIKE_PATH.match(model_path):
        raise PathNotAccepted(
            "'model_path' looks like a path, and no request may name a file of the server. "
            "Register the directory on the server with `manage.py register DIR namespace/name`, "
            'or push it there, then send {"model_path": "namespace/name", "version_name": "v1"}.',
            details={"field": "model_path"},
        )


async def _wait_answering(spec: VersionSpec) -> Deployment:
    until, is_committed = time.monotonic() + WAIT_S, False
    while True:
        deployment = await in_thread(lambda: load_deployment(spec.model))
        if deployment.state == "failed":
            raise VersionNotRoutable(
                f"{spec.model} version {spec.number} cannot serve ({deployment.reason}); what "
                "answered before goes on answering",
                details={"model": spec.model, "version": spec.number},
            )
        if deployment.state == "committed" and not is_committed:
            is_committed, until = True, time.monotonic() + CONVERGE_S
        if deployment.has_converged or time.monotonic() > until:
            return deployment
        await asyncio.sleep(POLL_S)
