"""Trusted keys, signatures and policies in the admin."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from access.facts import FactsAdmin
from access.persons import get_actor
from registry.admin.acts import each
from registry.errors import RegistryError
from registry.models import RegisteredModel, Signature, TrustedKey
from registry.services import signing, trust
from registry.signatures import parse_public_key


class TrustedKeyForm(forms.ModelForm[TrustedKey]):
    """A public key to trust, checked before it is kept."""

    class Meta:
        model = TrustedKey
        fields = ("name", "pem", "model")
        help_texts = {
            "name": "Whose key it is.",
            "pem": "The public key in PEM form: elliptic, P-256, P-384 or P-521.",
            "model": "Trust it for this model only; leave empty for every model.",
        }

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        try:
            fingerprint = parse_public_key(values.get("pem", "")).fingerprint
        except RegistryError as error:
            raise ValidationError({"pem": error.message}) from error
        if TrustedKey.objects.filter(fingerprint=fingerprint).exists():
            raise ValidationError({"pem": "this key is trusted already"})
        if TrustedKey.objects.filter(name=values.get("name", "").strip()).exists():
            raise ValidationError({"name": "another key has this name"})
        return values


@admin.register(TrustedKey)
class TrustedKeyAdmin(FactsAdmin):
    purpose = "Public keys whose signatures on versions count."
    empty = "No key is trusted yet, so no signature counts. Add one to ask for signed versions."
    list_display = ["name", "fingerprint", "scope", "added_by", "created_at"]
    search_fields = ["name", "=fingerprint"]
    list_select_related = ["model"]
    actions = ["distrust"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_admin_permission(request)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is None:
            kwargs["form"] = TrustedKeyForm
        return super().get_form(request, obj, change, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        model = str(obj.model) if obj.model else None
        spec = trust.trust_key(obj.name, obj.pem, model=model, actor=get_actor(request))
        obj.pk = TrustedKey.objects.get(fingerprint=spec.fingerprint).pk

    @admin.display(description="for")
    def scope(self, row: TrustedKey) -> str:
        return str(row.model) if row.model else "every model"

    @admin.action(description="No longer trust", permissions=["admin"])
    def distrust(self, request: HttpRequest, rows: QuerySet[TrustedKey]) -> None:
        def work(row: TrustedKey) -> str:
            left = trust.distrust_key(
                row.fingerprint, actor=get_actor(request), reason="in the admin"
            )
            told = f"; unsigned now, and routed: {', '.join(left)}" if left else ""
            return f"{row.name} is no longer trusted{told}"

        each(self, request, rows, work)


@admin.register(Signature)
class SignatureAdmin(FactsAdmin):
    purpose = "Signatures on versions, and whether they count now."
    empty = "No version was signed yet."
    list_display = ["version", "fingerprint", "worth", "added_by", "created_at"]
    search_fields = ["=fingerprint", "version__model__namespace", "version__model__name"]
    list_select_related = ["version__model"]
    ordering = ["-id"]

    @admin.display(description="counts now")
    def worth(self, row: Signature) -> str:
        try:
            found = signing.load_signatures(str(row.version.model), row.version.number)
        except RegistryError as error:
            return error.message
        spec = next((each for each in found if each.fingerprint == row.fingerprint), None)
        return spec.problem or spec.status.value if spec else "gone"


class PolicyActs(FactsAdmin):
    """Adds to the page of models: whether only signed versions may be routed."""

    POLICY_ACTS = ("require_signature", "allow_unsigned")

    @admin.action(description="Policy: only signed versions may be routed", permissions=["admin"])
    def require_signature(self, request: HttpRequest, rows: QuerySet[RegisteredModel]) -> None:
        self._set(request, rows, wanted=True)

    @admin.action(description="Policy: unsigned versions may be routed", permissions=["admin"])
    def allow_unsigned(self, request: HttpRequest, rows: QuerySet[RegisteredModel]) -> None:
        self._set(request, rows, wanted=False)

    def _set(self, request: HttpRequest, rows: QuerySet[RegisteredModel], *, wanted: bool) -> None:
        def work(row: RegisteredModel) -> str:
            actor = get_actor(request)
            trust.set_policy(
                str(row), requires_signature=wanted, actor=actor, reason="in the admin"
            )
            return f"{row}: signatures are {'required' if wanted else 'not required'}"

        each(self, request, rows, work)
