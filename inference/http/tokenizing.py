"""`POST /api/v1/models/{ns}/{name}/tokenize`: how many tokens texts have, and what is cut off."""

from typing import Any

import msgspec

from access.scopes import Scope
from inference.calls import NO_PARAMETERS, Call
from inference.http.endpoints import Endpoint, Received, Reply
from inference.http.errors import version_headers
from inference.http.limits import RequestLimits
from inference.http.steering import read_steering
from inference.service import Service


class TokenizeRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`inputs` and `parameters` are those of a prediction; `ids` asks for the tokens' ids, too."""

    inputs: msgspec.Raw
    parameters: msgspec.Raw = msgspec.field(default_factory=lambda: NO_PARAMETERS)
    ids: bool = False


class TokensReply(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One input. `n_pieces` rows of batches it takes; `ids` are one list a piece."""

    n_tokens: int
    n_unknown: int
    truncated: bool
    n_pieces: int
    ids: list[list[int]] | None = None


class TokenizeReply(msgspec.Struct, frozen=True):
    """Tokens of each input, in order; `max_tokens` is how many the model reads at once."""

    model: str
    version: int
    digest: str
    max_tokens: int | None
    inputs: list[TokensReply]


class Tokenizing:
    """Counts tokens as a prediction would, without a forward pass; nothing is recorded."""

    def __init__(self, service: Service, limits: RequestLimits) -> None:
        self._service, self._limits = service, limits

    def endpoints(self) -> list[Endpoint[Any]]:
        return [
            Endpoint(
                method="POST",
                path="/api/v1/models/{namespace}/{name}/tokenize",
                handler=self.tokenize,
                scope=Scope.PREDICT,
                body=TokenizeRequest,
                reply=TokenizeReply,
                summary="Count tokens",
                tag="predict",
                is_steered=True,
            )
        ]

    async def tokenize(self, received: Received[TokenizeRequest]) -> Reply:
        request = received.body
        kind = self._service.kind_of(received.model)
        inputs = self._limits.read(request.inputs, kind)
        predictor, prepared = await self._service.tokenize(
            Call(
                model=received.model,
                inputs=inputs,
                parameters=request.parameters,
                request_id=received.request_id,
                dialect="native",
                key_id=received.key.id,
                steering=read_steering(received),
            )
        )
        spec = predictor.spec
        rows = [
            TokensReply(
                n_tokens=each.n_tokens,
                n_unknown=each.n_unknown,
                truncated=each.truncated,
                n_pieces=len(each.pieces),
                ids=[piece.ids for piece in each.pieces] if request.ids else None,
            )
            for each in prepared
        ]
        max_tokens = predictor.task.max_tokens
        reply = TokenizeReply(spec.model, spec.number, spec.digest, max_tokens, rows)
        return Reply(reply, headers=version_headers(spec))
