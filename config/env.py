"""Every setting that Bellwether reads from the environment: one table, read once, loud when wrong.

`SETTINGS` is what `config.settings` reads, what `docs/reference/settings.md` must list and what the
tests walk through. A secret may also come from a file: `NAME_FILE` names it.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from config.parsing import (
    Parse,
    at_least,
    between,
    boolean,
    listed,
    mail_url,
    named,
    none_or_from,
    one_of,
    origins,
    public_url,
    redaction_patterns,
    redactions,
    seconds,
)


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
        "Redis that replicas share for rate limits and remembered outputs; empty: each by itself.",
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
        "BELLWETHER_SUMMARY_MODEL",
        "",
        str,
        "Model behind /summarize; empty: the first that is served and does summarization.",
    ),
    Setting(
        "BELLWETHER_MAX_BODY_BYTES",
        "1048576",
        at_least(1024),
        "Largest request body of the inference plane, in bytes.",
    ),
    Setting(
        "BELLWETHER_CACHE_BYTES",
        "0",
        at_least(0),
        "Memory for what models gave, so that a repeated input costs no pass; 0 remembers nothing.",
    ),
    Setting("BELLWETHER_CACHE_S", "600", at_least(1), "Seconds for which outputs are remembered."),
    Setting("BELLWETHER_MAX_INPUTS", "256", at_least(1), "Most texts in one predict request."),
    Setting(
        "BELLWETHER_MAX_JOB_INPUTS", "10000", at_least(1), "Most texts in one asynchronous job."
    ),
    Setting(
        "BELLWETHER_MAX_JOB_BYTES",
        "1073741824",
        at_least(1024),
        "Largest file of a job, in bytes as it is sent; unpacked it may have ten times as many.",
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
        "Whether the texts of predictions are kept, and the answers that hold words of them; off "
        "keeps labels and scores only.",
    ),
    Setting(
        "BELLWETHER_REDACT",
        "",
        redactions,
        "What is replaced in texts before they are kept: any of email, iban, card, ip, phone.",
    ),
    Setting(
        "BELLWETHER_REDACT_PATTERNS",
        "",
        redaction_patterns,
        "File of further patterns to replace, a line each: name=regex, in RE2's syntax.",
    ),
    Setting(
        "BELLWETHER_RESERVOIR_SIZE",
        "200",
        between(0, 10_000),
        "Answers of each version and five minutes that are kept with embedding and text as a "
        "sample; 0 keeps none.",
    ),
    Setting(
        "BELLWETHER_RESERVOIR_DAYS",
        "14",
        between(1, 3650),
        "Days that the sample is kept; after one of them it is thinned to as many an hour.",
    ),
    Setting(
        "BELLWETHER_KEEP_EMBEDDINGS",
        "on",
        boolean,
        "Whether the sample holds embeddings; off keeps nothing of them but sums.",
    ),
    Setting(
        "BELLWETHER_SUMS_DAYS",
        "400",
        between(2, 3650),
        "Days that the sums of the traffic are kept.",
    ),
    Setting(
        "BELLWETHER_RETENTION_DAYS",
        "30",
        at_least(1),
        "Days that single predictions are kept; roll-ups stay.",
    ),
    Setting(
        "BELLWETHER_EVALUATION_DAYS",
        "400",
        at_least(1),
        "Days that evaluations are kept; after two days, good ones are thinned to one an hour.",
    ),
    Setting(
        "BELLWETHER_FALSE_ALARM_DAYS",
        "90",
        at_least(1),
        "Days in which about one false alarm of each model is accepted; more days, fewer alarms.",
    ),
    Setting(
        "BELLWETHER_AUDIT_PER_HOUR",
        "20",
        at_least(0),
        "Predictions of each model that a label is asked for, an hour; 0 asks for none.",
    ),
    Setting(
        "BELLWETHER_SECOND_OPINIONS",
        "10",
        between(0, 100),
        "Percent of the labels given in the queue that somebody else is asked for again.",
    ),
    Setting(
        "BELLWETHER_REFERENCE_SIZE",
        "2000",
        none_or_from(200, 20_000),
        "First predictions of a version that become its reference where it has none; 0 takes none.",
    ),
    Setting(
        "BELLWETHER_BACKUPS",
        "",
        named,
        "Backup targets as name=location, separated by commas; a location is a folder, an fsspec "
        "URL or storage:ALIAS.",
        secret=True,
    ),
    Setting(
        "BELLWETHER_BACKUP_EVERY",
        "0",
        at_least(0),
        "Hours between backups to the first target; 0 makes none by itself.",
    ),
    Setting(
        "BELLWETHER_BACKUP_KEEP",
        "",
        str,
        "Snapshots that stay after a scheduled backup, such as last=3 daily=7; empty keeps all.",
    ),
    Setting(
        "BELLWETHER_HISTORY_DAYS",
        "90",
        at_least(1),
        "Days that earlier commits of a branch and retired versions keep their files.",
    ),
    Setting(
        "BELLWETHER_MEMORY_LIMIT_BYTES",
        "0",
        at_least(0),
        "Memory that this process may take, in bytes; 0 finds the limit of container or machine.",
    ),
    Setting(
        "BELLWETHER_LOADING",
        "eager",
        one_of("eager", "lazy"),
        "When models that are not pinned are loaded: at the start while they fit, or when first "
        "asked.",
    ),
    Setting(
        "BELLWETHER_ROLLBACK_WINDOW_S",
        "3600",
        at_least(0),
        "Seconds that the version before stays in memory, so that a roll-back loads nothing.",
    ),
    Setting(
        "BELLWETHER_SWAP_DEADLINE_S",
        "120",
        seconds,
        "Longest time that a new version waits for slow replicas before they are left behind.",
    ),
    Setting(
        "BELLWETHER_DRAIN_S",
        "20",
        seconds,
        "Longest time that running requests get to finish at shutdown, in seconds.",
    ),
    Setting(
        "HF_TOKEN",
        "",
        str,
        "Token for Hugging Face: imports and inference endpoints use it; never stored or logged.",
        secret=True,
    ),
    Setting(
        "BELLWETHER_REMOTE_HOSTS",
        "",
        listed,
        "Hosts (name, or name:port) of remote versions: may be private, by http, and get HF_TOKEN.",
    ),
    Setting(
        "BELLWETHER_ENDPOINTS_API",
        "https://api.endpoints.huggingface.cloud/v2",
        str,
        "Address of the service that runs inference endpoints.",
    ),
    Setting(
        "BELLWETHER_IMPORT_ENDPOINTS",
        "https://huggingface.co",
        origins,
        "Hubs (scheme, host, port) that models may be imported from, the usual one first; these "
        "may be private, and get HF_TOKEN. Empty switches imports off.",
    ),
    Setting(
        "BELLWETHER_PUBLIC_URL",
        "",
        public_url,
        "Address by which people reach this server, for links in notifications; empty leaves them "
        "out.",
    ),
    Setting(
        "BELLWETHER_EMAIL_URL",
        "",
        mail_url,
        "Mail server as a URL, such as smtp+tls://user:password@host:587; empty: no mail is sent.",
        secret=True,
    ),
    Setting(
        "BELLWETHER_EMAIL_FROM",
        "bellwether@localhost",
        str,
        "Address that mail about alerts comes from.",
    ),
    Setting(
        "BELLWETHER_WEBHOOK_HOSTS",
        "",
        listed,
        "Hosts (name, or name:port) that channels may reach although they are private or by http.",
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
