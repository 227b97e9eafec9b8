"""Bringing versions in: a branch sealed, an endpoint named; models made and deleted.

Imports and archives have pages of their own among the operations.
"""

from collections.abc import Callable

from django import forms
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from access.persons import get_actor
from access.scopes import Scope
from monitoring.dashboard.act_forms import DeleteForm, EndpointForm, ModelForm, SealForm
from monitoring.dashboard.pages import load_model, model_tabs, page, render, told
from registry import listing, services
from registry.services.registration import Registration
from registry.services.remote import register_endpoint
from registry.specs import ModelSpec


@page(Scope.PUSH)
def seal(request: HttpRequest, namespace: str, name: str) -> HttpResponseBase:
    model = load_model(namespace, name)
    branches = listing.load_branches(model.name)
    form = SealForm(request.POST or None, branches=branches)

    def work() -> str:
        values = form.cleaned_data
        done = services.seal(
            model.name,
            values["branch"],
            actor=get_actor(request),
            note=values["note"],
            pooling=values["pooling"] or None,
        )
        return _registered(done)

    return _asked(
        request,
        model,
        form,
        work,
        title="Seal a branch",
        purpose="Make what a branch holds now the next version. It answers nothing until promoted.",
        lines=["The files are checked as a whole model, as every version's are."],
        button="Seal it",
    )


@page(Scope.PROMOTE)
def endpoint(request: HttpRequest, namespace: str, name: str) -> HttpResponseBase:
    model = load_model(namespace, name)
    form = EndpointForm(request.POST or None)

    def work() -> str:
        values = form.cleaned_data
        labels = [label.strip() for label in values["labels"].split(",") if label.strip()]
        done = register_endpoint(
            model.name,
            values["endpoint"],
            namespace=values["owner"],
            actor=get_actor(request),
            labels=labels,
            note=values["note"],
        )
        return _registered(done)

    return _asked(
        request,
        model,
        form,
        work,
        title="Register a remote endpoint",
        purpose="Make an inference endpoint that runs elsewhere the next version of this model.",
        lines=[
            "The version stands for the endpoint as it is now. It is asked once, to learn its "
            "labels, and answers nothing here until it is promoted."
        ],
        button="Register it",
    )


@page(Scope.PUSH)
def make_model(request: HttpRequest) -> HttpResponseBase:
    form = ModelForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data

        def work() -> str:
            services.create_model(
                values["name"], actor=get_actor(request), description=values["description"]
            )
            return f"{values['name']} is made. It has no version yet: bring one in."

        if told(request, work):
            return redirect("dashboard:versions", *values["name"].strip().split("/", 1))
    return render(
        request,
        "confirm.html",
        title="New model",
        purpose="Make an empty model, a name under which versions are kept.",
        lines=[],
        form=form,
        button="Make it",
        back=reverse("admin:registry_registeredmodel_changelist"),
    )


@page(Scope.ADMIN)
def delete_model(request: HttpRequest, namespace: str, name: str) -> HttpResponseBase:
    model = load_model(namespace, name)
    form = DeleteForm(request.POST or None, model=model.name)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data

        def work() -> str:
            services.delete_model(
                model.name,
                actor=get_actor(request),
                reason=values["reason"],
                force=values["force"],
            )
            return f"{model.name} is deleted."

        if told(request, work):
            return redirect("admin:registry_registeredmodel_changelist")
    return render(
        request,
        "confirm.html",
        title=f"{model.name}: delete",
        purpose="Delete this model with all its versions.",
        tabs=model_tabs(model.name, "versions"),
        model=model,
        lines=[
            f"{model.n_versions} versions, their commits and names go, and with them what was kept "
            "about the model; only a backup brings versions back. The audit log stays.",
        ],
        form=form,
        button="Delete it for good",
        is_dangerous=True,
        back=reverse("dashboard:versions", args=[namespace, name]),
    )


def _asked(
    request: HttpRequest,
    model: ModelSpec,
    form: forms.Form,
    work: Callable[[], str],
    *,
    title: str,
    purpose: str,
    lines: list[str],
    button: str,
) -> HttpResponseBase:
    """Show the form; once it comes back sound do `work`, tell of it, and go to the versions."""
    namespace, _, name = model.name.partition("/")
    if request.method == "POST" and form.is_valid() and told(request, work):
        return redirect("dashboard:versions", namespace, name)
    return render(
        request,
        "confirm.html",
        title=f"{model.name}: {title[0].lower()}{title[1:]}",
        purpose=purpose,
        tabs=model_tabs(model.name, "versions"),
        model=model,
        lines=lines,
        form=form,
        button=button,
        back=reverse("dashboard:versions", args=[namespace, name]),
    )


def _registered(done: Registration) -> str:
    if done.is_new:
        return f"Version {done.version.number} is sealed. Promote it when it shall answer."
    return f"These very files are version {done.version.number} already: nothing has changed."
