"""What the settings page shows: each setting, where its value came from, and no secret."""

import os
from collections.abc import Mapping

from config.env import SETTINGS, Setting

SET, NOT_SET = "set", "not set"
KEPT = "What is kept, and how it ends"
GROUPS: Mapping[str, tuple[str, ...]] = {
    "Where things are": (
        "BELLWETHER_HOME",
        "BELLWETHER_HOST",
        "BELLWETHER_PORT",
        "DATABASE_URL",
        "REDIS_URL",
    ),
    "Who may come in": (
        "BELLWETHER_AUTH",
        "BELLWETHER_RATE_LIMIT",
        "BELLWETHER_METRICS_OPEN",
        "BELLWETHER_ALLOWED_HOSTS",
        "BELLWETHER_TRUSTED_ORIGINS",
        "BELLWETHER_SECRET_KEY",
        "BELLWETHER_DEBUG",
    ),
    "What one request may hold": (
        "BELLWETHER_DEFAULT_MODEL",
        "BELLWETHER_SUMMARY_MODEL",
        "BELLWETHER_MAX_BODY_BYTES",
        "BELLWETHER_CACHE_BYTES",
        "BELLWETHER_CACHE_S",
        "BELLWETHER_MAX_INPUTS",
        "BELLWETHER_MAX_JOB_INPUTS",
        "BELLWETHER_MAX_JOB_BYTES",
        "BELLWETHER_MAX_TEXT_CHARS",
        "BELLWETHER_TIMEOUT_S",
    ),
    "How models run": (
        "BELLWETHER_DEVICE",
        "BELLWETHER_DTYPE",
        "BELLWETHER_LANES",
        "BELLWETHER_MAX_BATCH",
        "BELLWETHER_MAX_BATCH_TOKENS",
        "BELLWETHER_MAX_QUEUE",
        "BELLWETHER_MAX_QUEUE_TOKENS",
        "BELLWETHER_MEMORY_LIMIT_BYTES",
        "BELLWETHER_LOADING",
        "BELLWETHER_ROLLBACK_WINDOW_S",
        "BELLWETHER_SWAP_DEADLINE_S",
    ),
    "Hugging Face": ("HF_TOKEN", "BELLWETHER_REMOTE_HOSTS", "BELLWETHER_ENDPOINTS_API"),
    KEPT: (),
    "Who is told": (
        "BELLWETHER_PUBLIC_URL",
        "BELLWETHER_EMAIL_URL",
        "BELLWETHER_EMAIL_FROM",
        "BELLWETHER_WEBHOOK_HOSTS",
    ),
    "Where models are brought in from": ("BELLWETHER_IMPORT_ENDPOINTS",),
}
"""Group → its settings, as in docs/reference/settings.md; all others are of the empty one."""


def list_in_force(environ: Mapping[str, str] | None = None) -> list[dict[str, str]]:
    """Every setting as `group`, `name`, `value`, `source`, `default` and `help`.

    A secret's value is "set" or "not set"; `source` is environment, file or default.
    """
    source = os.environ if environ is None else environ
    group_of = {name: group for group, names in GROUPS.items() for name in names}
    order = list(GROUPS)
    rows = [_row(setting, group_of.get(setting.name, KEPT), source) for setting in SETTINGS]
    return sorted(rows, key=lambda row: order.index(row["group"]))


def _row(setting: Setting, group: str, environ: Mapping[str, str]) -> dict[str, str]:
    origin = "environment" if setting.name in environ else "default"
    value = environ.get(setting.name, setting.default)
    if setting.secret:
        if environ.get(f"{setting.name}_FILE"):
            origin, value = "file", SET
        value = SET if value else NOT_SET
    return {
        "group": group,
        "name": setting.name,
        "value": value,
        "source": origin,
        "default": NOT_SET if setting.secret and not setting.default else setting.default,
        "help": setting.help,
    }
