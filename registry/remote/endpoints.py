"""Hugging Face Inference Endpoints, through `huggingface_hub`: made, looked at, paused, deleted.

The library takes the service's address from a constant and waits without limit: here both come from
this module, once a process.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings

from registry.errors import (
    EndpointNotFound,
    EndpointNotRunning,
    EndpointRefused,
    EndpointUnavailable,
    InvalidField,
)
from registry.remote.facts import check_endpoint_name

if TYPE_CHECKING:
    from huggingface_hub import HfApi, InferenceEndpoint

CALL_S = 15.0
MAX_SAID_CHARS = 200
ENDED_STATES = frozenset({"failed", "updateFailed", "paused"})

OnState = Callable[[str, float], None]
"""Told the endpoint's state and the seconds waited so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSpec:
    """An endpoint as the service describes it; `url` is empty until it has one."""

    namespace: str
    name: str
    state: str
    url: str
    repository: str
    revision: str
    task: str
    kind: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointPlan:
    """What an endpoint is made of, in the service's own words."""

    repository: str
    revision: str | None = None
    framework: str = "pytorch"
    task: str = "text-classification"
    vendor: str = "aws"
    region: str = "us-east-1"
    accelerator: str = "cpu"
    instance_type: str = "intel-icl"
    instance_size: str = "x2"
    min_replica: int = 0
    max_replica: int = 1
    scale_to_zero_min: int | None = 15
    type: str = "authenticated"


class Endpoints:
    """The service that runs endpoints. Every call may raise EndpointNotFound, EndpointRefused,
    EndpointUnavailable or InvalidField; `namespace` None is the token's own.
    """

    def __init__(self, api: "HfApi") -> None:
        self._api = api

    def get(self, name: str, namespace: str | None) -> EndpointSpec:
        with _told(_checked(name, namespace)):
            return _spec(self._api.get_inference_endpoint(name, namespace=namespace))

    def create(self, name: str, namespace: str | None, plan: EndpointPlan) -> EndpointSpec:
        with _told(_checked(name, namespace)):
            made = self._api.create_inference_endpoint(
                name,
                namespace=namespace,
                repository=plan.repository,
                revision=plan.revision,
                framework=plan.framework,
                task=plan.task,
                vendor=plan.vendor,
                region=plan.region,
                accelerator=plan.accelerator,
                instance_type=plan.instance_type,
                instance_size=plan.instance_size,
                min_replica=plan.min_replica,
                max_replica=plan.max_replica,
                scale_to_zero_timeout=plan.scale_to_zero_min,
                type=plan.type,
            )
            return _spec(made)

    def pause(self, name: str, namespace: str | None) -> EndpointSpec:
        with _told(_checked(name, namespace)):
            return _spec(self._api.pause_inference_endpoint(name, namespace=namespace))

    def resume(self, name: str, namespace: str | None) -> EndpointSpec:
        with _told(_checked(name, namespace)):
            return _spec(self._api.resume_inference_endpoint(name, namespace=namespace))

    def delete(self, name: str, namespace: str | None) -> None:
        with _told(_checked(name, namespace)):
            self._api.delete_inference_endpoint(name, namespace=namespace)

    def wait(
        self,
        name: str,
        namespace: str | None,
        *,
        limit_s: float,
        every_s: float = 5.0,
        on_state: OnState = lambda state, waited_s: None,
    ) -> EndpointSpec:
        """Return the endpoint once it answers its health check.

        Raises EndpointNotRunning when it has failed, is paused, or is not up within `limit_s`.
        """
        started = time.monotonic()
        while True:
            with _told(_checked(name, namespace)):
                endpoint = self._api.get_inference_endpoint(name, namespace=namespace)
                found, waited_s = _spec(endpoint), time.monotonic() - started
                on_state(found.state, waited_s)
                if found.state in ENDED_STATES:
                    raise _not_running(found, f"is {found.state}: resume it, or read its log")
                if _is_up(endpoint):
                    return found
            if waited_s + every_s > limit_s:
                raise _not_running(found, f"is still {found.state} after {limit_s:.0f} s")
            time.sleep(every_s)


def open_endpoints() -> Endpoints:
    """The service at BELLWETHER_ENDPOINTS_API, with the token of the environment.

    Raises InvalidField when there is no token or the address is none.
    """
    import httpx2
    from huggingface_hub import HfApi, constants, set_client_factory

    address = str(settings.BELLWETHER_ENDPOINTS_API).rstrip("/")
    parts = urlsplit(address)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise InvalidField(
            "BELLWETHER_ENDPOINTS_API must be a URL", details={"field": "BELLWETHER_ENDPOINTS_API"}
        )
    if not settings.HF_TOKEN:
        raise InvalidField(
            "HF_TOKEN is not set: endpoints are managed with the token of their owner",
            details={"field": "HF_TOKEN"},
        )
    if address != constants.INFERENCE_ENDPOINTS_ENDPOINT or not _is_bounded:
        constants.INFERENCE_ENDPOINTS_ENDPOINT = address
        set_client_factory(lambda: httpx2.Client(follow_redirects=False, timeout=CALL_S))
        _is_bounded.append(True)
    return Endpoints(HfApi(token=settings.HF_TOKEN))


_is_bounded: list[bool] = []


def _is_up(endpoint: "InferenceEndpoint") -> bool:
    from huggingface_hub import InferenceEndpointTimeoutError

    if endpoint.status != "running" or not endpoint.url:
        return False
    try:
        endpoint.wait(timeout=0, refresh_every=1)
    except InferenceEndpointTimeoutError:
        return False
    return True


def _checked(name: str, namespace: str | None) -> str:
    check_endpoint_name(name)
    if namespace is not None:
        check_endpoint_name(namespace, field="namespace")
    return name


def _spec(endpoint: "InferenceEndpoint") -> EndpointSpec:
    return EndpointSpec(
        namespace=endpoint.namespace,
        name=endpoint.name,
        state=str(getattr(endpoint.status, "value", endpoint.status)),
        url=endpoint.url or "",
        repository=endpoint.repository or "",
        revision=endpoint.revision or "",
        task=endpoint.task or "",
        kind=str(endpoint.type),
    )


@contextmanager
def _told(name: str) -> Iterator[None]:
    """What the library raises, as ours, without the URLs in its messages."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, InferenceEndpointError

    try:
        yield
    except HfHubHTTPError as error:
        raise _from_status(name, error) from error
    except InferenceEndpointError as error:
        raise EndpointNotRunning(
            f"the endpoint {name} has failed: read its log", details={"endpoint": name}
        ) from error
    except (httpx2.HTTPError, OSError) as error:
        raise EndpointUnavailable(
            f"the service that runs endpoints does not answer ({type(error).__name__}): try again",
            retry_after_s=5.0,
        ) from error
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise EndpointUnavailable(
            "the service that runs endpoints answered in an unknown form", retry_after_s=5.0
        ) from error


def _from_status(name: str, error: Any) -> Exception:
    status = error.response.status_code
    if status == 404:
        return EndpointNotFound(
            f"there is no endpoint {name} in this namespace", details={"endpoint": name}
        )
    if status == 429 or status >= 500:
        return EndpointUnavailable(
            f"the service that runs endpoints answered {status}: try again", retry_after_s=5.0
        )
    said = "".join(c for c in str(error.server_message or "") if c.isprintable())[:MAX_SAID_CHARS]
    remedy = "check HF_TOKEN" if status in (401, 403) else said or "it does not say why"
    return EndpointRefused(
        f"the service that runs endpoints refused ({status}): {remedy}",
        details={"endpoint": name, "status": status},
    )


def _not_running(endpoint: EndpointSpec, problem: str) -> EndpointNotRunning:
    return EndpointNotRunning(
        f"the endpoint {endpoint} {problem}",
        details={"endpoint": endpoint.name, "state": endpoint.state},
    )
