"""What a client must know to ask a model that this process serves: shapes, defaults, limits."""

from typing import Any

import msgspec

from inference.http.limits import RequestLimits
from inference.service import Service
from registry.errors import RegistryError


class Guides:
    """Tells it of the version that answers; parameters and inputs are JSON schemas."""

    def __init__(self, service: Service, limits: RequestLimits) -> None:
        self._service, self._limits = service, limits

    def tell(self, model: str) -> dict[str, Any] | None:
        """None for a model of which nothing is in memory here; who looks wakes nobody."""
        try:
            live = self._service.serving.look(model).live
        except RegistryError:
            return None
        if not live:
            return None
        predictor = live[0].predictor
        kind, task = self._service.kind_of(model), predictor.task
        return {
            "task": kind.name,
            "version": predictor.spec.number,
            "device": predictor.runtime.device,
            "inputs": msgspec.json.schema(kind.inputs),
            "parameters": msgspec.json.schema(task.parameters_type),
            "answer": msgspec.json.schema(kind.reply),
            "limits": {
                "max_inputs": self._limits.max_inputs,
                "max_text_chars": self._limits.max_text_chars,
                "max_body_bytes": self._limits.max_body_bytes,
                "max_tokens": task.max_tokens,
                "timeout_s": self._limits.timeout_s,
            },
        }
