"""What every notifier takes and how it fails. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from monitoring.errors import InvalidChannel
from monitoring.severity import Severity

TIMEOUT_S = 10.0
"""All that one delivery may take."""
MAX_URL_CHARS = 2_000


class Event(StrEnum):
    """What happened to the alert."""

    FIRING = "firing"
    WORSE = "worse"
    RESOLVED = "resolved"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One notification. `id` is the same each time it is tried: receivers may drop a repetition.

    `before` is the severity before, where the alert got worse while it fired.
    """

    id: str
    event: Event
    alert: str
    model: str
    version: int
    kind: str
    severity: Severity
    before: Severity | None = None
    summary: str
    details: Mapping[str, Any] = field(default_factory=dict)
    at: datetime
    fired_at: datetime
    resolved_at: datetime | None = None
    link: str = ""

    @property
    def title(self) -> str:
        """One line: what, where, how bad."""
        if self.event is Event.TEST:
            return "[test] Bellwether can reach you"
        what = f"{self.model} v{self.version} {self.kind}"
        if self.event is Event.RESOLVED:
            return f"[resolved] {what}"
        worse = f", was {self.before}" if self.before else ""
        return f"[{self.severity}{worse}] {what}"

    @property
    def text(self) -> str:
        """The same in a few lines, with the numbers that are plain ones."""
        lines = [self.summary, "", f"since {self.fired_at:%Y-%m-%d %H:%M} UTC"]
        if self.resolved_at is not None:
            lines.append(f"resolved {self.resolved_at:%Y-%m-%d %H:%M} UTC")
        lines += [f"{name}: {shown}" for name, shown in self.numbers.items()]
        return "\n".join([*lines, *([self.link] if self.link else [])])

    @property
    def numbers(self) -> dict[str, str]:
        """Details that are single values, as text."""
        plain = (str, int, float, bool)
        return {
            name: f"{value:.6g}" if isinstance(value, float) else str(value)
            for name, value in self.details.items()
            if isinstance(value, plain)
        }


class Notifier(Protocol):
    """One channel's way out."""

    def send(self, message: Message) -> None:
        """Bring `message` there within `TIMEOUT_S`. Raises DeliveryFailed."""


def read_fields(
    config: object, *, needed: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, Any]:
    """A channel's config as a dict of known fields. Raises InvalidChannel."""
    if not isinstance(config, Mapping):
        raise invalid("config", "must be an object")
    for name in config:
        if name not in (*needed, *optional):
            known = ", ".join((*needed, *optional)) or "none"
            raise invalid(f"config.{str(name)[:40]}", f"is unknown; known are: {known}")
    for name in needed:
        if not config.get(name):
            raise invalid(f"config.{name}", "is needed")
    return dict(config)


def read_text(fields: Mapping[str, Any], name: str, *, longest: int) -> str:
    """A field that is a line of text. Raises InvalidChannel."""
    value = fields.get(name, "")
    if not isinstance(value, str) or len(value) > longest or not value.isprintable():
        raise invalid(f"config.{name}", f"must be one line of at most {longest} characters")
    return value


def invalid(field: str, remedy: str) -> InvalidChannel:
    return InvalidChannel(f"{field} {remedy}.", details={"field": field})
