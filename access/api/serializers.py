"""Keys as JSON: never their digests, and the key itself only in the answer that made it."""

from typing import Any

from rest_framework import serializers

from access.models import ApiKey
from access.ratelimit import MAX_RATE_CHARS
from access.scopes import Scope
from access.services import MAX_NAME_CHARS


class KeySerializer(serializers.ModelSerializer[ApiKey]):
    """A key as others may see it."""

    scopes = serializers.ListField(child=serializers.ChoiceField(list(Scope)), read_only=True)
    owner = serializers.CharField(source="owner.username", read_only=True, default=None)
    created_at = serializers.DateTimeField(source="created", read_only=True)
    expires_at = serializers.DateTimeField(source="expiry_date", read_only=True, allow_null=True)

    class Meta:
        model = ApiKey
        fields: tuple[str, ...] = (
            "prefix",
            "name",
            "scopes",
            "rate",
            "owner",
            "created_at",
            "expires_at",
            "revoked",
        )
        read_only_fields = fields


class NewKeySerializer(KeySerializer):
    """A key just made, with the key itself."""

    key = serializers.CharField(read_only=True, help_text="Shown in this answer only.")

    class Meta(KeySerializer.Meta):
        fields = (*KeySerializer.Meta.fields, "key")
        read_only_fields = fields


class KeyRequestSerializer(serializers.Serializer[Any]):
    """What a key is asked for with."""

    name = serializers.CharField(max_length=MAX_NAME_CHARS)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(list(Scope)), allow_empty=False, max_length=len(Scope)
    )
    rate = serializers.CharField(
        max_length=MAX_RATE_CHARS,
        required=False,
        allow_blank=True,
        default="",
        help_text="Such as 600/minute; empty means the server's default.",
    )
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="Empty means never."
    )


class TicketSerializer(serializers.Serializer[Any]):
    """A ticket, to be sent like a key, and how many seconds it lives."""

    ticket = serializers.CharField(read_only=True)
    life_s = serializers.IntegerField(read_only=True)
