"""A kept answer as it goes out: JSON as it was answered, however a row holds it."""

from typing import Any

import msgspec
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers


@extend_schema_field({"type": "object", "nullable": True, "additionalProperties": {}})
class AnswerField(serializers.Field[Any, Any, Any, Any]):
    """Null where label and scores say it all, and where texts are not stored."""

    def __init__(self) -> None:
        super().__init__(
            read_only=True,
            help_text="What the task answered beside label and scores, by task; null if nothing. "
            "'is_cut' in it: it was too long to be kept whole.",
        )

    def to_representation(self, value: str) -> Any:
        return msgspec.json.decode(value)
