"""Acts on inference endpoints, as operations: who did what, how far it is, how it ended.

The worker below does them, for commands on the spot, for requests in the background.
"""

from dataclasses import asdict
from typing import Any

from registry.errors import InvalidField
from registry.remote.endpoints import EndpointPlan, Endpoints, EndpointSpec, open_endpoints
from registry.remote.facts import check_endpoint_name
from registry.services.common import check_text
from registry.services.operations import Watch, worker
from registry.specs import OperationKind

ACTS = ("create", "wait", "pause", "resume", "delete")
MAX_LIMIT_S = 3_600.0
DEFAULT_LIMIT_S = 900.0


def get_endpoint(name: str, namespace: str | None) -> EndpointSpec:
    """An endpoint as the service describes it now; see `registry.remote.endpoints` for errors."""
    return open_endpoints().get(name, namespace)


def describe_act(
    act: str,
    name: str,
    namespace: str | None,
    *,
    plan: EndpointPlan | None = None,
    limit_s: float = 0.0,
) -> tuple[str, dict[str, Any]]:
    """An operation's title and parameters; raises InvalidField.

    `limit_s` is how long to wait afterwards until the endpoint answers; 0 does not wait.
    """
    if act not in ACTS:
        raise InvalidField(f"act must be one of {', '.join(ACTS)}", details={"field": "act"})
    check_endpoint_name(name)
    if namespace is not None:
        check_endpoint_name(namespace, field="namespace")
    if not 0 <= limit_s <= MAX_LIMIT_S:
        raise InvalidField(
            f"limit_s must be 0 to {MAX_LIMIT_S:.0f} seconds", details={"field": "limit_s"}
        )
    if (plan is not None) != (act == "create"):
        raise InvalidField("a plan belongs to create", details={"field": "plan"})
    shown = f"{namespace}/{name}" if namespace else name
    parameters = {"act": act, "name": name, "namespace": namespace, "limit_s": limit_s}
    return f"{act} endpoint {shown}", parameters | {"plan": _plain(plan)}


@worker(OperationKind.ENDPOINT)
def _work(watch: Watch) -> dict[str, Any]:
    asked, endpoints = watch.parameters, open_endpoints()
    name, namespace, limit_s = asked["name"], asked["namespace"], float(asked["limit_s"])
    found = _act(endpoints, asked["act"], name, namespace, asked["plan"])
    if limit_s and asked["act"] in ("create", "wait", "resume"):
        found = endpoints.wait(name, namespace, limit_s=limit_s, on_state=_Teller(watch, limit_s))
    return _shown(found) if found else {"name": name, "deleted": True}


def _act(
    endpoints: Endpoints, act: str, name: str, namespace: str | None, plan: dict[str, Any]
) -> EndpointSpec | None:
    if act == "create":
        return endpoints.create(name, namespace, EndpointPlan(**plan))
    if act == "pause":
        return endpoints.pause(name, namespace)
    if act == "resume":
        return endpoints.resume(name, namespace)
    if act == "delete":
        endpoints.delete(name, namespace)
        return None
    return endpoints.get(name, namespace)


class _Teller:
    """Writes each state, and seconds in place of bytes, into the operation."""

    def __init__(self, watch: Watch, limit_s: float) -> None:
        self._watch, self._limit_s, self._state = watch, limit_s, ""

    def __call__(self, state: str, waited_s: float) -> None:
        if state != self._state:
            self._state = state
            self._watch.say(f"the endpoint is {state}")
        self._watch(int(waited_s), max(1, int(self._limit_s)))


def _shown(found: EndpointSpec) -> dict[str, Any]:
    return asdict(found)


def _plain(plan: EndpointPlan | None) -> dict[str, Any] | None:
    if plan is None:
        return None
    for field, value in asdict(plan).items():
        if isinstance(value, str):
            check_text(field, value, limit=200)
    return asdict(plan)
