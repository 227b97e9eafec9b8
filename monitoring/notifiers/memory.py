"""The fake: keeps messages in this process, fails when told to. Pure."""

from collections import defaultdict, deque
from collections.abc import Mapping
from functools import partial

from monitoring.errors import DeliveryFailed
from monitoring.notifiers.base import Message, read_fields, read_text

MOST_KEPT = 1_000
SENT: dict[str, deque[Message]] = defaultdict(partial(deque[Message], maxlen=MOST_KEPT))
"""The newest messages by the channel's `box`."""
FAILURES: dict[str, list[DeliveryFailed]] = defaultdict(list)
"""What the next deliveries to a box raise, first one first."""


def read(config: object) -> dict[str, object]:
    fields = read_fields(config, needed=("box",))
    return {"box": read_text(fields, "box", longest=80)}


class MemoryNotifier:
    def __init__(self, config: Mapping[str, object]) -> None:
        self._box = str(config["box"])

    def send(self, message: Message) -> None:
        if FAILURES[self._box]:
            raise FAILURES[self._box].pop(0)
        SENT[self._box].append(message)


def clear() -> None:
    """Forget all messages and failures."""
    SENT.clear()
    FAILURES.clear()
