"""What a client must know to ask a model that this process serves: shapes, defaults, limits."""

from typing import Any

import msgspec

from inference.http.limits import RequestLimits
from inference.service import Service
from inference.tasks.kinds import KINDS
from registry.errors import RegistryError


class Guides:
    """Tells it of the version that answers; parameters and inputs are JSON schemas."""

    def __init__(self, service: Service, limits: RequestLimits) -> None:
        self._service, self._limits = service, limits

    def tell(self, model: str) -> dict[str, Any] | None:
        """None for a model of which nothing answers here. Who looks wakes nobody: of a model that
        sleeps, device and `max_tokens` are None.
        """
        try:
            served = self._service.serving.look(model)
        except RegistryError:
            return None
        if served.spec is None:
            return None
        kind = KINDS[served.spec.task]
        predictor = served.live[0].predictor if served.live else None
        task = predictor.task if predictor else None
        return {
            "task": kind.name,
            "version": served.spec.number,
            "device": predictor.runtime.device if predictor else None,
            "inputs": msgspec.json.schema(kind.inputs),
            "parameters": msgspec.json.schema(task.parameters_type if task else kind.parameters),
            "answer": msgspec.json.schema(kind.reply),
            "limits": {
                "max_inputs": self._limits.max_inputs,
                "max_text_chars": self._limits.max_text_chars,
                "max_body_bytes": self._limits.max_body_bytes,
                "max_tokens": task.max_tokens if task else None,
                "timeout_s": self._limits.timeout_s,
            },
        }
