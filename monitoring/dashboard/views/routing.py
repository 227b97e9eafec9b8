"""The editor of a model's routes: choose, see what changes, confirm."""

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from access.persons import get_actor
from access.scopes import Scope
from monitoring.dashboard import acts, route_words
from monitoring.dashboard.act_forms import STICKINESS, ConfirmRoutesForm
from monitoring.dashboard.acts import Asked
from monitoring.dashboard.asking import ask, attempt, finish, load_routes
from monitoring.dashboard.pages import load_model, model_tabs, page, query_of, render
from registry import listing, queries
from registry.specs import ModelSpec, Stickiness

N_OFFERED = 12
LINES = (
    "Exactly these routes hold from then on. Every serving process loads what is new first and "
    "checks its golden inputs; until all are that far, what answers now goes on answering.",
)


@page(Scope.PROMOTE)
def edit_routes(request: HttpRequest, namespace: str, name: str) -> HttpResponseBase:
    model = load_model(namespace, name)
    if request.method == "POST":
        return _set(request, model)
    fields = query_of(request)
    if "show" not in fields:
        return _choose(request, model)
    rows = route_words.read_editor(fields)
    after, error = attempt(lambda: route_words.routes_of(rows))
    if after is None:
        return _choose(request, model, rows=rows, error=error)
    (before, seen), sticks = load_routes(model), _stickiness(fields.get("stickiness"))
    kept = {
        "seen": seen,
        "routes": route_words.to_text(after),
        "stickiness": sticks,
        "force": "force" in fields,
    }
    return ask(
        request,
        model,
        title="Set the routes",
        lines=LINES,
        before=before,
        after=after,
        form=ConfirmRoutesForm(initial=kept),
        button="Set these routes",
        asks=True,
        notes=[f"While several versions are live: {dict(STICKINESS)[sticks]}."],
    )


def _choose(
    request: HttpRequest,
    model: ModelSpec,
    *,
    rows: tuple[route_words.EditorRow, ...] | None = None,
    error: str = "",
) -> HttpResponseBase:
    found = queries.load_model_routes(model.name)
    if rows is None:
        offered = listing.load_versions(model.name, offset=0, limit=N_OFFERED)
        numbers = [each.spec.number for each in offered if each.is_routable]
        rows = route_words.editor_rows(numbers, route_words.as_wanted(found.desired))
    return render(
        request,
        "version_routes.html",
        title=f"{model.name}: routes",
        purpose="Which versions answer, in which shares, and which only see copies.",
        status=409 if error else 200,
        tabs=model_tabs(model.name, "versions"),
        model=model,
        namespace=model.name.partition("/")[0],
        name=model.name.partition("/")[2],
        rows=rows,
        total=route_words.sum_of(rows),
        error=error,
        stickiness=STICKINESS,
        sticks=request.GET.get("stickiness", found.stickiness.value),
        forced="force" in request.GET,
        n_offered=N_OFFERED,
    )


def _set(request: HttpRequest, model: ModelSpec) -> HttpResponseBase:
    form = ConfirmRoutesForm(request.POST)
    after, error = attempt(lambda: route_words.from_text(request.POST.get("routes", "")))
    if after is None:
        return _choose(request, model, error=error)
    if form.is_valid():
        values = form.cleaned_data
        asked = Asked(
            model=model.name,
            number=after[0].version,
            actor=get_actor(request),
            reason=values["reason"],
            seen=values["seen"],
        )
        routes, sticks = after, Stickiness(values["stickiness"])
        done, error = attempt(
            lambda: acts.set_routes(asked, routes, stickiness=sticks, force=values["force"])
        )
        if done is not None:
            return finish(request, model, done)
    before, seen = load_routes(model)
    if error:
        form = ConfirmRoutesForm(initial={**request.POST.dict(), "seen": seen})
    return ask(
        request,
        model,
        title="Set the routes",
        lines=LINES,
        before=before,
        after=after,
        form=form,
        button="Set these routes",
        asks=True,
        error=error,
    )


def _stickiness(text: str | None) -> str:
    return text if text in dict(STICKINESS) else Stickiness.KEY.value
