"""What `remote.json` says: the endpoint behind a remote version, its task and labels (pure).

The file is the version: canonical JSON (RFC 8785), so the same endpoint described in the same words
has the same digest. It holds no token; that comes from the environment whenever it is used.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from registry.errors import ContentRefused, InvalidField
from registry.facts import MAX_LABEL_CHARS, MAX_LABELS, ModelFacts
from registry.specs import Pooling

REMOTE = "remote.json"
FORMAT = 1
TASKS = ("text-classification",)
MAX_URL_CHARS = 500
MAX_SERVED_CHARS = 200
MAX_REMOTE_BYTES = 8 * 1024**2

_ENDPOINT_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_KEYS = {"endpoint", "format", "labels", "serves", "task", "url"}


@dataclass(frozen=True, slots=True)
class Target:
    """A checked URL's parts: `host` is lower-case and without brackets."""

    scheme: str
    host: str
    port: int

    def is_allowed_by(self, hosts: Iterable[str]) -> bool:
        """Whether an allow-list of `host` and `host:port` names this target."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        names = {self.host, shown, f"{shown}:{self.port}"}
        return any(entry.lower() in names for entry in hosts)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFacts:
    """What is known of an endpoint. `labels` are in the order that the version keeps for good.

    `namespace` and `endpoint` name it where it is managed, both empty for a bare URL; `serves` is
    what it said it answers with (repository, revision, version, digest), as far as it said so.
    """

    url: str
    task: str
    labels: tuple[str, ...]
    namespace: str = ""
    endpoint: str = ""
    serves: Mapping[str, str] = field(default_factory=dict)

    @property
    def data(self) -> bytes:
        """The canonical JSON."""
        fields = {
            "endpoint": {"name": self.endpoint, "namespace": self.namespace},
            "format": FORMAT,
            "labels": list(self.labels),
            "serves": dict(self.serves),
            "task": self.task,
            "url": self.url,
        }
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode(
            "utf-8"
        )

    @property
    def model_facts(self) -> ModelFacts:
        """The facts as a version's row keeps them; there is nothing to pool."""
        return ModelFacts(task=self.task, labels=self.labels, pooling=Pooling.MEAN)


def build_remote(
    *,
    url: str,
    labels: Iterable[str],
    task: str = TASKS[0],
    namespace: str = "",
    endpoint: str = "",
    serves: Mapping[str, str] | None = None,
) -> RemoteFacts:
    """Check what is to become a remote version; raises InvalidField naming the field."""
    check_url(url)
    if task not in TASKS:
        raise _invalid("task", f"must be one of {', '.join(TASKS)}, not {task!r:.80}")
    for name, value in (("namespace", namespace), ("endpoint", endpoint)):
        if value:
            check_endpoint_name(value, field=name)
    said = {str(key): str(value) for key, value in (serves or {}).items() if value}
    for key, value in said.items():
        if len(key) > MAX_SERVED_CHARS or len(value) > MAX_SERVED_CHARS or not value.isprintable():
            raise _invalid("serves", f"{key!r:.80} must be printable and short")
    return RemoteFacts(
        url=url,
        task=task,
        labels=check_labels(labels),
        namespace=namespace,
        endpoint=endpoint,
        serves=said,
    )


def parse_remote(data: bytes) -> RemoteFacts:
    """Read `remote.json`; raises ContentRefused unless it is what `RemoteFacts.data` writes."""
    try:
        fields = _read_fields(data)
        facts = build_remote(
            url=fields["url"],
            labels=fields["labels"],
            task=fields["task"],
            namespace=fields["endpoint"]["namespace"],
            endpoint=fields["endpoint"]["name"],
            serves=fields["serves"],
        )
    except InvalidField as error:
        raise _refused(error.message) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise _refused("a field is missing or of the wrong type") from error
    if facts.data != data:
        raise _refused("it is not in canonical form")
    return facts


def check_url(url: str) -> Target:
    """The parts of an endpoint's URL; raises InvalidField unless it is a plain http(s) one.

    Plain: no account, query or fragment, no odd characters. Which hosts may be asked is another
    question (`registry.remote.client`).
    """
    if not isinstance(url, str) or not url or len(url) > MAX_URL_CHARS:
        raise _invalid("url", f"must be a URL of at most {MAX_URL_CHARS} characters")
    if not url.isascii() or any(char.isspace() or not char.isprintable() for char in url):
        raise _invalid("url", "must be ASCII without blanks")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _invalid("url", "is not a URL") from error
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise _invalid("url", "must begin with https:// and name a host")
    if "@" in parts.netloc or "?" in url or "#" in url or "\\" in url:
        raise _invalid("url", "must have no account, query or fragment: HF_TOKEN is the account")
    if not _PATH.fullmatch(parts.path) or "/../" in f"{parts.path}/":
        raise _invalid("url", "has a path that no endpoint has")
    if port == 0:
        raise _invalid("url", "has port 0")
    return Target(parts.scheme, parts.hostname.lower(), port or _DEFAULT_PORTS[parts.scheme])


def check_endpoint_name(name: str, *, field: str = "endpoint") -> str:
    """`name` if an endpoint or a namespace may be called so; raises InvalidField."""
    if not isinstance(name, str) or not _ENDPOINT_NAME.fullmatch(name):
        raise _invalid(field, "must be 1 to 64 letters, digits, dots, dashes or underscores")
    return name


def check_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """The labels in order; raises InvalidField unless they are few, clean and all different."""
    listed = tuple(labels)
    if not 1 <= len(listed) <= MAX_LABELS:
        raise _invalid("labels", f"must be 1 to {MAX_LABELS} names")
    for label in listed:
        is_clean = isinstance(label, str) and label.strip() and label.isprintable()
        if not is_clean or len(label) > MAX_LABEL_CHARS:
            raise _invalid("labels", f"must each be 1 to {MAX_LABEL_CHARS} printable characters")
    if len(set(listed)) != len(listed):
        raise _invalid("labels", "names a label twice")
    return listed


def order_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """An order for labels that an endpoint named by falling score: LABEL_n by n, else by name.

    >>> order_labels(["LABEL_10", "LABEL_2"]), order_labels(["POSITIVE", "NEGATIVE"])
    (('LABEL_2', 'LABEL_10'), ('NEGATIVE', 'POSITIVE'))
    """
    listed = list(labels)
    if all(re.fullmatch(r"LABEL_[0-9]{1,9}", label) for label in listed):
        return tuple(sorted(listed, key=lambda label: int(label.removeprefix("LABEL_"))))
    return tuple(sorted(listed))


def _read_fields(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_REMOTE_BYTES:
        raise _refused(f"it is over {MAX_REMOTE_BYTES} bytes")
    try:
        fields = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _refused("it is not JSON") from error
    if not isinstance(fields, dict) or fields.keys() != _KEYS:
        raise _refused(f"it must have exactly the keys {', '.join(sorted(_KEYS))}")
    if fields["format"] != FORMAT or type(fields["format"]) is not int:
        raise _refused(f"its format must be {FORMAT}; a newer server may have written it")
    return fields


def _invalid(name: str, problem: str) -> InvalidField:
    return InvalidField(f"{name} {problem}", details={"field": name})


def _refused(problem: str) -> ContentRefused:
    return ContentRefused(f"{REMOTE}: {problem}", details={"path": REMOTE})
