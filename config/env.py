"""Every setting that Bellwether reads from the environment: one table, read once, loud when wrong.

`SETTINGS` is what `config.settings` reads, what `docs/reference/settings.md` must list and what the
tests walk through. A secret may also come from a file: `NAME_FILE` names it.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

Parse = Callable[[str], Any]


def boolean(text: str) -> bool:
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off", ""}:
        return False
    raise ValueError("expected on or off")


def listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def at_least(lowest: int) -> Parse:
    def parse(text: str) -> int:
        number = int(text)
        if number < lowest:
            raise ValueError(f"expected a whole number of at least {lowest}")
        return number

    return parse


def seconds(text: str) -> float:
    number = float(text)
    if not 0 < number <= 86_400:
        raise ValueError("expected seconds, above 0 and at most 86400")
    return number


def one_of(*choices: str) -> Parse:
    def parse(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}")
        return text.lower()

    return parse


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable: its default as text, how it is parsed, what it does."""

    name: str
    default: str
    parse: Parse
    help: str
    secret: bool = False


SETTINGS: tuple[Setting, ...] = (
    Setting(
        "BELLWETHER_HOME", "./var", Path, "Folder of the database, the artifacts and the journal."
    ),
    Setting("BELLWETHER_HOST", "127.0.0.1", str, "Address that the server listens on."),
    Setting(
        "BELLWETHER_PORT",
        "8000",
        at_least(0),
        "Port that the server listens on; 0 picks a free one.",
    ),
    Setting(
        "BELLWETHER_ALLOWED_HOSTS",
        "localhost,127.0.0.1,[::1]",
        listed,
        "Host names that the admin and the management API answer to; BELLWETHER_HOST is added.",
    ),
    Setting(
        "BELLWETHER_TRUSTED_ORIGINS",
        "",
        listed,
        "Origins (with scheme) that admin forms may come from when a proxy stands in front.",
    ),
    Setting(
        "BELLWETHER_SECRET_KEY",
        "",
        str,
        "Django's secret key; empty makes one at first start and keeps it in the home folder.",
        secret=True,
    ),
    Setting(
        "BELLWETHER_DEBUG", "off", boolean, "Django's debug pages; never on a reachable address."
    ),
    Setting(
        "DATABASE_URL",
        "",
        str,
        "Database as a URL (postgres://user:password@host:5432/name); empty means SQLite.",
        secret=True,
    ),
    Setting(
        "REDIS_URL",
        "",
        str,
        "Redis that several replicas share for rate limits; empty keeps them in the process.",
        secret=True,
    ),
    Setting(
        "BELLWETHER_AUTH", "on", boolean, "Whether a key is needed; off only for a closed network."
    ),
    Setting(
        "BELLWETHER_RATE_LIMIT",
        "60000/minute",
        str,
        "Requests of a key without a rate of its own, as count/second, minute, hour or day.",
    ),
    Setting("BELLWETHER_METRICS_OPEN", "off", boolean, "Whether /metrics answers without a key."),
    Setting(
        "BELLWETHER_DEFAULT_MODEL", "starter/sentiment", str, "Model behind the classic endpoints."
    ),
    Setting(
        "BELLWETHER_MAX_BODY_BYTES",
        "1048576",
        at_least(1024),
        "Largest request body of the inference plane, in bytes.",
    ),
    Setting("BELLWETHER_MAX_INPUTS", "256", at_least(1), "Most texts in one predict request."),
    Setting(
        "BELLWETHER_MAX_JOB_INPUTS", "10000", at_least(1), "Most texts in one asynchronous job."
    ),
    Setting(
        "BELLWETHER_MAX_TEXT_CHARS", "100000", at_least(1), "Longest single text, in characters."
    ),
    Setting(
        "BELLWETHER_DEVICE",
        "auto",
        str,
        "Where models run: auto, cpu, cuda or cuda:N; auto takes a GPU if there is one.",
    ),
    Setting(
        "BELLWETHER_DTYPE",
        "auto",
        one_of("auto", "float32", "bfloat16", "float16"),
        "Number format of the forward pass; auto is float32 on CPU and bfloat16 on a GPU.",
    ),
    Setting(
        "BELLWETHER_LANES",
        "0",
        at_least(0),
        "Forward passes that may run at once; 0 picks by device.",
    ),
    Setting(
        "BELLWETHER_MAX_BATCH",
        "0",
        at_least(0),
        "Most texts in one forward pass; 0 picks by device.",
    ),
    Setting(
        "BELLWETHER_MAX_BATCH_TOKENS",
        "0",
        at_least(0),
        "Most tokens in one forward pass, padding included; 0 picks by device.",
    ),
    Setting(
        "BELLWETHER_MAX_QUEUE",
        "1024",
        at_least(64),
        "Most texts that may wait; one more is refused with 429.",
    ),
    Setting("BELLWETHER_MAX_QUEUE_TOKENS", "131072", at_least(32768), "Most tokens that may wait."),
    Setting(
        "BELLWETHER_TIMEOUT_S",
        "30",
        seconds,
        "Longest time that a prediction may take before it is given up, in seconds.",
    ),
    Setting(
        "BELLWETHER_STORE_TEXT",
        "on",
        boolean,
        "Whether the texts of predictions are kept; off keeps labels and scores only.",
    ),
    Setting(
        "BELLWETHER_RETENTION_DAYS",
        "30",
        at_least(1),
        "Days that single predictions are kept; roll-ups stay.",
    ),
    Setting(
        "BELLWETHER_DRAIN_S",
        "20",
        seconds,
        "Longest time that running requests get to finish at shutdown, in seconds.",
    ),
    Setting(
        "BELLWETHER_LOG_LEVEL",
        "info",
        one_of("debug", "info", "warning", "error"),
        "Least severe log line written.",
    ),
    Setting(
        "BELLWETHER_LOG_FORMAT",
        "auto",
        one_of("auto", "json", "console"),
        "Shape of log lines; auto is console on a terminal and json elsewhere.",
    ),
)


def read(environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Parse every setting from `environ` (default: the process's own).

    Raises ImproperlyConfigured with the variable, the value unless it is secret, and the remedy.
    """
    source = os.environ if environ is None else environ
    return {setting.name: _parsed(setting, source) for setting in SETTINGS}


def _parsed(setting: Setting, environ: Mapping[str, str]) -> Any:
    text = environ.get(setting.name, setting.default)
    if setting.secret and (path := environ.get(f"{setting.name}_FILE")):
        try:
            text = Path(path).read_text().strip()
        except OSError as error:
            raise ImproperlyConfigured(
                f"{setting.name}_FILE names {path}, which cannot be read: {error}"
            ) from error
    try:
        return setting.parse(text)
    except ValueError as error:
        shown = "a value" if setting.secret else repr(text)
        raise ImproperlyConfigured(f"{setting.name} is {shown}: {error}. {setting.help}") from error
