"""Remote versions: one batch is one request to the endpoint that `remote.json` names.

No tokens are counted and no embedding comes back. What goes wrong on the other side is told apart:
it may answer later (remote_unavailable), it refuses this server (remote_refused), its answer is not
what the version promises (remote_invalid_answer), or one text may be at fault: then the engine
finds out which.
"""

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
from django.conf import settings

from inference.errors import (
    DeadlineExceeded,
    InferenceError,
    RemoteInvalidAnswer,
    RemoteRefused,
    RemoteUnavailable,
    Unavailable,
)
from inference.predictor import Predictor
from inference.tasks.ports import Encoded, Forwarded
from inference.tasks.remote_text_classification import RemoteText, RemoteTextClassification
from registry.remote.client import CallFailed, Failure, RemoteClient
from registry.remote.facts import REMOTE, RemoteFacts, parse_remote
from registry.remote.wire import InvalidAnswer, build_request, max_answer_bytes, parse_scores
from registry.services.remote import get_token, open_reach
from registry.specs import VersionSpec

WARM_UP_TEXTS = ("A sentence of ordinary length.", "Another one, so that a list comes back.")
FIRST_ANSWER_S = 10.0
"""How long loading waits for an endpoint that is itself loading: other models wait behind it."""
NO_EMBEDDING = np.zeros(0, dtype=np.float32)


class TextFailed(Exception):
    """The endpoint failed on a batch, perhaps because of one text in it."""


class RemoteRuntime:
    """Asks the endpoint of one version; thread safe, so several lanes may wait at once."""

    def __init__(self, name: str, facts: RemoteFacts, client: RemoteClient) -> None:
        self._name, self._labels, self._client = name, facts.labels, client
        self._shown = f"{facts.namespace}/{facts.endpoint}" if facts.endpoint else "url"

    @property
    def device(self) -> str:
        return f"remote {self._shown}"

    def forward(self, batch: Sequence[Encoded]) -> list[Forwarded]:
        """Every text's scores, as logits; raises the errors that the module names."""
        texts = cast(Sequence[RemoteText], batch)
        try:
            reply = self._client.post(
                build_request([text.payload for text in texts]),
                # Whoever waited for less has been told so; the last one decides.
                deadline=max(text.deadline for text in texts),
                max_bytes=max_answer_bytes(len(texts), self._labels),
            )
            rows = parse_scores(reply.data, len(texts), self._labels)
        except CallFailed as error:
            raise self._failed(error) from error
        except InvalidAnswer as error:
            raise RemoteInvalidAnswer(
                f"The endpoint behind {self._name} gave no usable answer: {error}. "
                "Register it again if it serves something else now."
            ) from error
        return [Forwarded(np.array(row, dtype=np.float32), NO_EMBEDDING) for row in rows]

    def _failed(self, error: CallFailed) -> Exception:
        message = f"The endpoint behind {self._name} gave no answer: {error.message}."
        if error.kind is Failure.INPUT:
            return TextFailed(message)
        kinds: dict[Failure, Callable[[str], InferenceError]] = {
            Failure.REFUSED: RemoteRefused,
            Failure.INVALID: RemoteInvalidAnswer,
            Failure.TIMEOUT: DeadlineExceeded,
        }
        if error.kind in kinds:
            return kinds[error.kind](message)
        return RemoteUnavailable(message, retry_after_s=error.retry_after_s or 1.0)


def load(spec: VersionSpec) -> Predictor:
    """Read `remote.json` of `spec` and return a predictor that has answered once.

    Raises ContentRefused for a file that is none, ValueError for one that is another version's,
    ConnectionError while the endpoint does not answer (worth another try) and what else
    `RemoteRuntime.forward` raises.
    """
    facts = parse_remote((spec.view / REMOTE).read_bytes())
    if (facts.task, facts.labels) != (spec.task, spec.labels):
        raise ValueError(f"{REMOTE} of {spec.model} v{spec.number} names another task or labels")
    client = RemoteClient(
        facts.url, reach=open_reach(), token=get_token, is_managed=bool(facts.endpoint)
    )
    predictor = Predictor(
        spec=spec,
        task=RemoteTextClassification(spec.labels, timeout_s=settings.BELLWETHER_TIMEOUT_S),
        runtime=RemoteRuntime(f"{spec.model} v{spec.number}", facts, client),
    )
    first = RemoteTextClassification(spec.labels, timeout_s=FIRST_ANSWER_S)
    try:
        predictor.forward(first.encode(WARM_UP_TEXTS, first.defaults, short=False))
    except Unavailable as error:
        client.close()
        raise ConnectionError(error.message) from error
    return predictor
