"""Inference endpoints in the admin: one becomes a version, the one behind a version is paused."""

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldAdminTextInputWidget

from access.facts import FactsAdmin
from access.persons import get_actor
from registry import tasks
from registry.admin.acts import each
from registry.api.endpoint_shapes import MAX_ENDPOINT_CHARS
from registry.errors import InvalidField
from registry.location import open_store
from registry.models import MAX_TEXT_CHARS, RegisteredModel, Version
from registry.remote.facts import REMOTE, RemoteFacts, parse_remote
from registry.services.endpoints import DEFAULT_LIMIT_S, describe_act
from registry.services.remote import register_endpoint
from registry.specs import OperationKind, VersionKind


class EndpointForm(forms.Form):
    """Which endpoint; never an address."""

    namespace = forms.CharField(
        max_length=MAX_ENDPOINT_CHARS,
        widget=UnfoldAdminTextInputWidget(),
        help_text="The account or organisation that owns the endpoint.",
    )
    endpoint = forms.CharField(max_length=MAX_ENDPOINT_CHARS, widget=UnfoldAdminTextInputWidget())
    labels = forms.CharField(
        max_length=MAX_TEXT_CHARS,
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text="Separated by commas. Left empty, the endpoint is asked for them.",
    )
    note = forms.CharField(
        max_length=MAX_TEXT_CHARS, required=False, widget=UnfoldAdminTextInputWidget()
    )


class RegisterEndpointActs(FactsAdmin):
    """Adds to the page of models: an endpoint becomes a version."""

    ENDPOINT_ACTS = ("register_endpoint",)

    @admin.action(
        description="Register an inference endpoint as its next version", permissions=["promote"]
    )
    def register_endpoint(
        self, request: HttpRequest, rows: QuerySet[RegisteredModel]
    ) -> TemplateResponse | None:
        """Show a form; register once it comes back sound."""
        if rows.count() != 1:
            self.message_user(request, "Select one model.", messages.ERROR)
            return None
        model = rows.get()
        form = EndpointForm(request.POST if "confirmed" in request.POST else None)
        if form.is_valid():
            values = form.cleaned_data
            actor = get_actor(request)
            each(self, request, [model], lambda row: _register(row, values, actor))
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": "Register an inference endpoint as the next version",
            "opts": self.model._meta,
            "model": model,
            "form": form,
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/registry/register_endpoint.html", context)


class EndpointActs(FactsAdmin):
    """Adds to the page of versions: the endpoint behind a remote one is paused and resumed."""

    ENDPOINT_ACTS = ("pause_endpoint", "resume_endpoint")

    @admin.action(description="Pause its inference endpoint", permissions=["promote"])
    def pause_endpoint(self, request: HttpRequest, rows: QuerySet[Version]) -> None:
        actor = get_actor(request)
        each(self, request, rows, lambda row: _start(row, "pause", 0.0, actor))

    @admin.action(description="Resume its inference endpoint", permissions=["promote"])
    def resume_endpoint(self, request: HttpRequest, rows: QuerySet[Version]) -> None:
        actor = get_actor(request)
        each(self, request, rows, lambda row: _start(row, "resume", DEFAULT_LIMIT_S, actor))


def _register(model: RegisteredModel, values: dict[str, str], actor: str) -> str:
    labels = [label.strip() for label in values["labels"].split(",") if label.strip()]
    done = register_endpoint(
        str(model),
        values["endpoint"],
        namespace=values["namespace"],
        actor=actor,
        labels=labels,
        note=values["note"],
    )
    what = f"{model} version {done.version.number} stands for {values['endpoint']}"
    return what if done.is_new else f"nothing new: {what}"


def _start(row: Version, act: str, limit_s: float, actor: str) -> str:
    facts = _facts(row)
    title, parameters = describe_act(act, facts.endpoint, facts.namespace, limit_s=limit_s)
    tasks.enqueue(OperationKind.ENDPOINT, title, actor=actor, parameters=parameters)
    return f"{title}: started, see the operations"


def _facts(row: Version) -> RemoteFacts:
    if row.kind != VersionKind.REMOTE:
        raise InvalidField(f"{row} lies in files: there is no endpoint behind it")
    facts = parse_remote((open_store().view(row.digest) / REMOTE).read_bytes())
    if not facts.endpoint:
        raise InvalidField(f"{row} stands for an address, which is not managed from here")
    return facts
