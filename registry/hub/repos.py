"""Models as repositories: made, deleted, described; and names for their commits."""

from typing import Any

from starlette.responses import JSONResponse, Response

from access.database import guarded, in_thread
from access.scopes import Scope
from registry import services
from registry.cards.lint import lint_card
from registry.errors import ModelExists, NotSupported
from registry.hub import bodies
from registry.hub.calls import Call, take_text
from registry.hub.errors import BodyRefused
from registry.hub.reading import own_namespace
from registry.hub.routing import HubRoute
from registry.models import RegisteredModel
from registry.names import parse_model_name
from registry.queries import find_model
from registry.refs import MAIN

MAX_CARD_BYTES = 8 * 1024**2
PUBLIC = (
    "visibility; models here are read by every key with the scope read, and by nobody else: "
    "public changes nothing"
)


async def create(call: Call) -> Response:
    """Make an empty model; 409 with its URL if it is there already."""
    body = await call.body()
    _check_type(body)
    name = _name(call, body)
    headers = _visibility_warning(body)
    try:
        await in_thread(lambda: services.create_model(name, actor=call.actor))
    except ModelExists as error:
        spelled = await in_thread(lambda: _spelling(name))
        answer = {"error": error.message, "url": f"{call.base_url}/{spelled}"}
        return JSONResponse(answer, 409, {"X-Error-Code": error.code, **headers})
    return JSONResponse({"url": f"{call.base_url}/{name}", "name": name}, headers=headers)


async def delete(call: Call) -> Response:
    """Delete a model with everything it has, unless it is live."""
    body = await call.body()
    _check_type(body)
    name = _name(call, body)
    await in_thread(lambda: services.delete_model(name, actor=call.actor, reason="Hub client"))
    return JSONResponse({})


async def settings(call: Call) -> Response:
    """Take note of settings that are as they are."""
    body = await call.body()
    await in_thread(lambda: find_model(call.model))
    if body.get("gated"):
        raise NotSupported("gated: who may read is decided by the scopes of keys")
    return JSONResponse({"private": True}, headers=_visibility_warning(body))


async def move(call: Call) -> Response:
    raise NotSupported(
        "models are not renamed, since versions, events and callers hold on to the name: make a "
        "model of the new name and upload there"
    )


async def validate_yaml(call: Call) -> Response:
    """Lint a model card; 400 when it has errors, as clients expect."""
    body = await call.body(limit=MAX_CARD_BYTES)
    text = take_text(body, "content")
    found = await bodies.on_disk(lambda: lint_card(text))
    answer = {
        "errors": [{"message": text} for text in found.errors],
        "warnings": [{"message": text} for text in found.warnings],
    }
    return JSONResponse(answer, 400 if found.errors else 200)


async def create_branch(call: Call) -> Response:
    body = await call.body()
    start, branch = take_text(body, "startingPoint", default=MAIN), call.params["branch"]
    await in_thread(
        lambda: services.create_branch(call.model, branch, start=start, actor=call.actor)
    )
    return JSONResponse({})


async def delete_branch(call: Call) -> Response:
    branch = call.params["branch"]
    await in_thread(lambda: services.delete_branch(call.model, branch, actor=call.actor))
    return JSONResponse({})


async def create_tag(call: Call) -> Response:
    """Tag a revision; a tag `vN` seals version N, which checks it as a whole model."""
    body = await call.body()
    tag, message = take_text(body, "tag"), take_text(body, "message", default="")
    revision = call.params["rev"]

    def create() -> None:
        services.create_tag(call.model, tag, revision, actor=call.actor, message=message)

    await bodies.at_length(lambda: guarded(create))
    return JSONResponse({})


async def delete_tag(call: Call) -> Response:
    tag = call.params["rev"]
    await in_thread(lambda: services.delete_tag(call.model, tag, actor=call.actor))
    return JSONResponse({})


def routes() -> list[HubRoute]:
    model = "/api/models/{namespace}/{name}"
    return [
        HubRoute("POST", "/api/repos/create", create, Scope.PUSH),
        HubRoute("DELETE", "/api/repos/delete", delete, Scope.ADMIN),
        HubRoute("POST", "/api/repos/move", move, Scope.PUSH),
        HubRoute("POST", "/api/validate-yaml", validate_yaml, Scope.READ),
        HubRoute("PUT", f"{model}/settings", settings, Scope.PUSH),
        HubRoute("POST", f"{model}/branch/{{branch}}", create_branch, Scope.PUSH),
        HubRoute("DELETE", f"{model}/branch/{{branch}}", delete_branch, Scope.PUSH),
        HubRoute("POST", f"{model}/tag/{{rev}}", create_tag, Scope.PUSH),
        HubRoute("DELETE", f"{model}/tag/{{rev}}", delete_tag, Scope.PUSH),
    ]


def _name(call: Call, body: dict[str, Any]) -> str:
    name = take_text(body, "name")
    organization = take_text(body, "organization", default="")
    if not organization and "/" not in name:
        organization = own_namespace(call)
    full = f"{organization}/{name}" if organization else name
    return str(parse_model_name(full))


def _check_type(body: dict[str, Any]) -> None:
    if body.get("type", "model") not in (None, "model"):
        raise NotSupported("type: only models are kept here, no datasets and no spaces")
    if not body.get("name"):
        raise BodyRefused("name is missing", details={"field": "name"})


def _visibility_warning(body: dict[str, Any]) -> dict[str, str]:
    is_public = body.get("visibility") == "public" or body.get("private") is False
    return {"X-HF-Warning": PUBLIC} if is_public else {}


def _spelling(name: str) -> str:
    """The name of the model that takes this one, perhaps in other letter case."""
    namespace, own = name.split("/")
    row = RegisteredModel.objects.filter(namespace__iexact=namespace, name__iexact=own).first()
    return str(row) if row else name
