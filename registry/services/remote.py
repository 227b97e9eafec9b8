"""Remote versions: an inference endpoint becomes an immutable version whose one file names it."""

import time
from collections.abc import Sequence

from django.conf import settings

from registry.content import check_content
from registry.errors import (
    EndpointError,
    EndpointNotRunning,
    EndpointUnavailable,
    EndpointUnusable,
)
from registry.location import open_store
from registry.names import parse_model_name
from registry.queries import version_spec
from registry.remote.address import Reach
from registry.remote.client import CallFailed, Failure, RemoteClient
from registry.remote.facts import REMOTE, TASKS, RemoteFacts, build_remote, check_url, order_labels
from registry.remote.wire import (
    PROBES,
    InvalidAnswer,
    build_request,
    learn_labels,
    max_answer_bytes,
)
from registry.services.common import check_actor, check_text
from registry.services.registration import Draft, Registration, publish
from registry.sources.remote import RemoteSource
from registry.specs import VersionKind, VersionState

PROBE_S = 20.0
MAX_LEARNT_BYTES = max_answer_bytes(len(PROBES), ["x" * 64] * 2_000)
_SERVED_HEADERS = {"x-model-version": "version", "x-model-digest": "digest"}


def register_url(
    name: str, url: str, *, actor: str, labels: Sequence[str] = (), note: str = ""
) -> Registration:
    """Make the endpoint at `url` the next version of `name`; for commands only.

    Without `labels` the endpoint is asked for them, for PROBE_S at most. Raises InvalidName,
    InvalidField, AddressRefused, EndpointUnusable, EndpointUnavailable and what `register_source`
    raises; then nothing has changed.
    """
    check_reach(url)
    learnt, serves = (tuple(labels), {}) if labels else ask_labels(url, is_managed=False)
    facts = build_remote(url=url, labels=learnt, serves=serves)
    return register_remote(name, facts, actor=actor, note=note)


def register_endpoint(
    name: str,
    endpoint: str,
    *,
    namespace: str | None = None,
    actor: str,
    labels: Sequence[str] = (),
    note: str = "",
) -> Registration:
    """Make the inference endpoint of this name the next version of `name`.

    `namespace` None is the token's own. Raises what `register_url` raises, EndpointNotFound,
    EndpointRefused, and EndpointNotRunning for one without an address yet.
    """
    from registry.remote.endpoints import open_endpoints

    found = open_endpoints().get(endpoint, namespace)
    if not found.url:
        raise EndpointNotRunning(
            f"the endpoint {found} is {found.state} and has no address yet: resume it, then wait",
            details={"endpoint": found.name, "state": found.state},
        )
    if found.task and found.task not in TASKS:
        raise EndpointUnusable(
            f"the endpoint {found} does {found.task}; a version can be {', '.join(TASKS)}",
            details={"endpoint": found.name, "task": found.task},
        )
    check_reach(found.url)
    learnt, serves = (tuple(labels), {}) if labels else ask_labels(found.url, is_managed=True)
    facts = build_remote(
        url=found.url,
        labels=learnt,
        namespace=found.namespace,
        endpoint=found.name,
        serves={"repository": found.repository, "revision": found.revision} | serves,
    )
    return register_remote(name, facts, actor=actor, note=note)


def register_remote(name: str, facts: RemoteFacts, *, actor: str, note: str = "") -> Registration:
    """Publish `facts` as a version like any other: blob, manifest, view, commit, row, event."""
    parse_model_name(name)
    actor, note = check_actor(actor), check_text("note", note)
    source, store = RemoteSource(facts), open_store()
    with store.open_staging() as staging:
        manifest = store.take(source, staging, lambda done, total: None)
        check_content(REMOTE, staging.files / REMOTE)
        draft = Draft(
            manifest=manifest,
            facts=facts.model_facts,
            source=source.description,
            note=note,
            actor=actor,
            is_pooling_given=False,
            kind=VersionKind.REMOTE,
        )
        row, is_new = publish(name, staging, draft)
    return Registration(
        version=version_spec(row), state=VersionState(row.state), is_new=is_new, skipped=()
    )


def check_reach(url: str) -> None:
    """Refuse an address that may not be asked, by its form and by where its name leads.

    Raises InvalidField, AddressRefused, or EndpointUnavailable when the name is unknown.
    """
    target = check_url(url)
    try:
        open_reach().check(target)
    except OSError as error:
        raise EndpointUnavailable(
            f"the host {target.host} has no address: check the URL", details={"field": "url"}
        ) from error


def open_reach() -> Reach:
    """Which hosts this deployment may ask."""
    return Reach(settings.BELLWETHER_REMOTE_HOSTS)


def get_token() -> str:
    """The token as the environment has it now; never stored."""
    return str(settings.HF_TOKEN)


def ask_labels(url: str, *, is_managed: bool) -> tuple[tuple[str, ...], dict[str, str]]:
    """What labels the endpoint gives, ordered for good, and what it says that it serves.

    Raises EndpointUnusable or EndpointUnavailable.
    """
    client = RemoteClient(url, reach=open_reach(), token=get_token, is_managed=is_managed)
    try:
        reply = client.post(
            build_request(PROBES),
            deadline=time.monotonic() + PROBE_S,
            max_bytes=MAX_LEARNT_BYTES,
        )
        labels = order_labels(learn_labels(reply.data))
    except CallFailed as error:
        raise _as_endpoint_error(error) from error
    except InvalidAnswer as error:
        raise EndpointUnusable(f"the endpoint cannot be a version: {error}") from error
    finally:
        client.close()
    said = {
        name: reply.headers[header][:128]
        for header, name in _SERVED_HEADERS.items()
        if reply.headers.get(header, "").isalnum()
    }
    return labels, said


def _as_endpoint_error(error: CallFailed) -> EndpointError:
    message = f"the endpoint gave no answer: {error.message}"
    if error.kind in (Failure.UNAVAILABLE, Failure.TIMEOUT):
        return EndpointUnavailable(
            f"{message}; try again, or name its labels with --labels",
            retry_after_s=error.retry_after_s or 1.0,
        )
    return EndpointUnusable(message)
