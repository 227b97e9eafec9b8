"""What the Hub tells of models: who asks, lists, facts, trees, refs, history."""

import re
from typing import Any
from urllib.parse import parse_qs, urlencode

from django.db.models import Q
from starlette.responses import JSONResponse, Response

from access.database import in_thread
from access.scopes import Scope, has_scope
from registry.errors import EntryNotFound, InvalidField, RevisionNotFound
from registry.hub import bodies, shapes
from registry.hub.calls import Call
from registry.hub.errors import BodyRefused
from registry.hub.history import last_commits
from registry.hub.revisions import load_commit, read_revision
from registry.hub.routing import HubRoute
from registry.models import RegisteredModel
from registry.queries import find_model
from registry.refs import (
    MAIN,
    CommitSpec,
    find_commit,
    load_log,
    load_refs,
)

PAGE, MAX_PAGE = 100, 200
# Models looked at in search of a tag.
MAX_SCANNED = 1_000
MAX_LOG = 1_000
MAX_PATHS_BYTES = 2 * 1024**2
MAX_PATHS = 2_000
SORTS = {
    "createdat": "-created_at",
    "created_at": "-created_at",
    # The rest has no meaning here: the newest models first.
    "": "-created_at",
}
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._]+")


def own_namespace(call: Call) -> str:
    """The namespace of models that are made without one: the key's name, made fit."""
    slug = re.sub(r"\.{2,}", ".", _NOT_IN_NAMES.sub("-", call.key.name)).strip("-._")
    return slug[:40].rstrip("-._") or "user"


async def whoami(call: Call) -> Response:
    can_push = has_scope(call.key.scopes, Scope.PUSH)
    key = {"name": call.key.name, "can_push": can_push}
    return JSONResponse(shapes.whoami(own_namespace(call), key))


async def models(call: Call) -> Response:
    """One page of models, newest first; `Link` leads to the next."""
    limit, skip = _number(call, "limit", PAGE), _number(call, "skip", 0)
    limit = max(1, min(limit, MAX_PAGE))
    rows, has_more = await in_thread(lambda: _page(call, limit, skip))
    headers = {}
    if has_more:
        query = [(key, value) for key, value in call.query.multi_items() if key != "skip"]
        query.append(("skip", str(skip + limit)))
        headers["Link"] = f'<{call.base_url}/api/models?{urlencode(query)}>; rel="next"'
    return JSONResponse(rows, headers=headers)


async def info(call: Call) -> Response:
    """Facts of a model at a revision; without one, of its main branch."""

    def load() -> dict[str, Any]:
        model = find_model(call.model)
        commit = load_commit(call.model, call.params.get("rev", MAIN))
        facts = read_revision(commit)
        blobs = call.flag("blobs")
        return shapes.model_info(str(model), model.created_at, commit, facts, blobs=blobs)

    return JSONResponse(await in_thread(load))


async def tree(call: Call) -> Response:
    """Files and folders, of a folder or of everything below it."""
    folder = call.params["path"].strip("/")

    def load() -> tuple[CommitSpec, list[shapes.Json] | None]:
        commit = _commit(call)
        rows = shapes.tree_rows(commit, folder, recursive=call.flag("recursive"))
        return commit, _expanded(call, commit, rows or []) if rows is not None else None

    commit, rows = await in_thread(load)
    if rows is None:
        raise EntryNotFound(
            f"{call.model} has no folder {folder!r:.120} at this revision",
            details={"commit": commit.oid},
        )
    return JSONResponse(rows)


async def paths_info(call: Call) -> Response:
    """Files and folders by path, as a form or as JSON."""
    raw = await bodies.read_whole(call.receive, call.headers, MAX_PATHS_BYTES)
    try:
        form = parse_qs(raw.decode("utf-8"), max_num_fields=MAX_PATHS + 10)
    except ValueError as error:
        raise BodyRefused(
            f"the body must be a form with at most {MAX_PATHS} paths", details={"field": "paths"}
        ) from error
    expands = form.get("expand", [""])[0].lower() in ("true", "1")

    def load() -> list[shapes.Json]:
        commit = _commit(call)
        rows = shapes.path_rows(commit, form.get("paths", []))
        return _expanded(call, commit, rows, wanted=expands)

    return JSONResponse(await in_thread(load))


async def refs(call: Call) -> Response:
    found = await in_thread(lambda: load_refs(find_model(call.model)))
    wants_prs = call.flag("include_prs") or call.flag("include_pull_requests")
    return JSONResponse(shapes.refs(found, with_pull_requests=wants_prs))


async def commits(call: Call) -> Response:
    """The history of a revision, newest first."""

    def load() -> list[shapes.Json]:
        log = load_log(find_commit(find_model(call.model), call.params["rev"]), limit=MAX_LOG)
        return [
            shapes.log_row(row.oid, row.title, row.message, row.author, row.created_at)
            for row in log
        ]

    return JSONResponse(await in_thread(load))


async def auth_check(call: Call) -> Response:
    await in_thread(lambda: find_model(call.model))
    return JSONResponse({})


def routes() -> list[HubRoute]:
    model = "/api/models/{namespace}/{name}"
    return [
        HubRoute("GET", "/api/whoami-v2", whoami, Scope.READ),
        HubRoute("GET", "/api/models", models, Scope.READ),
        HubRoute("GET", model, info, Scope.READ),
        HubRoute("GET", f"{model}/revision/{{rev}}", info, Scope.READ),
        HubRoute("GET", f"{model}/tree/{{rev}}/{{path*}}", tree, Scope.READ),
        HubRoute("POST", f"{model}/paths-info/{{rev}}", paths_info, Scope.READ),
        HubRoute("GET", f"{model}/refs", refs, Scope.READ),
        HubRoute("GET", f"{model}/commits/{{rev}}", commits, Scope.READ),
        HubRoute("GET", f"{model}/auth-check", auth_check, Scope.READ),
    ]


def _commit(call: Call) -> CommitSpec:
    return load_commit(call.model, call.params["rev"])


def _expanded(
    call: Call, commit: CommitSpec, rows: list[shapes.Json], *, wanted: bool | None = None
) -> list[shapes.Json]:
    if call.flag("expand") if wanted is None else wanted:
        found = last_commits(find_model(call.model), commit, [str(row["path"]) for row in rows])
        for row in rows:
            row["lastCommit"] = found[row["path"]]
    return rows


def _number(call: Call, name: str, default: int) -> int:
    text = call.text(name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        raise InvalidField(f"{name} must be a whole number", details={"field": name})
    return int(text)


def _page(call: Call, limit: int, skip: int) -> tuple[list[shapes.Json], bool]:
    order = SORTS.get(call.text("sort").lower(), "-created_at")
    found = RegisteredModel.objects.order_by(order, "id")
    if author := call.text("author"):
        found = found.filter(namespace__iexact=author)
    for word in call.text("search").split():
        namespace, slash, name = word.rpartition("/")
        part = Q(namespace__iendswith=namespace, name__istartswith=name) if slash else Q()
        found = found.filter(part or Q(namespace__icontains=word) | Q(name__icontains=word))
    wanted = _wanted_tags(call)
    if not wanted:
        page = list(found[skip : skip + limit + 1])
        return [row for model in page[:limit] if (row := _row(model))], len(page) > limit
    fitting = []
    for model in found[:MAX_SCANNED].iterator(chunk_size=200):
        row = _row(model)
        if row and wanted <= set(row["tags"]) | {row.get("pipeline_tag")}:
            fitting.append(row)
        if len(fitting) > skip + limit:
            break
    return fitting[skip : skip + limit], len(fitting) > skip + limit


def _wanted_tags(call: Call) -> set[str]:
    texts = [*call.query.getlist("filter"), *call.query.getlist("pipeline_tag")]
    return {tag for text in texts[:50] for tag in text.split(",") if tag}


def _row(model: RegisteredModel) -> shapes.Json | None:
    try:
        commit = load_commit(str(model), MAIN)
    except RevisionNotFound:
        return None
    return shapes.model_row(str(model), model.created_at, commit, read_revision(commit))
