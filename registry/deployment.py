"""How far the replicas are with a model: read from its routes and their reports."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from registry.convergence import FORGET_S, Standing, age_s, find_laggards, read_standing
from registry.models import Event, RegisteredModel, Replica
from registry.queries import find_model
from registry.specs import EventKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaFacts:
    """One serving process and one model, of which nothing is in memory while it `is_asleep`;
    `versions` are the facts of its tracks.
    """

    id: str
    is_ready: bool
    is_alive: bool
    heartbeat_at: datetime
    rss_bytes: int
    prepared: int
    applied: int
    is_asleep: bool
    versions: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A model's routes on their way to the replicas.

    `state` is committed, preparing or failed; `has_converged` when every replica answers with the
    committed routes and none others are on their way; `laggards` are the ids of those that do not.
    """

    model: str
    generation: int
    committed_generation: int
    state: str
    reason: str
    has_converged: bool
    laggards: tuple[str, ...]
    replicas: tuple[ReplicaFacts, ...]


def load_deployment(model: str) -> Deployment:
    """How far the replicas are with `model`; raises ModelNotFound."""
    row, now = find_model(model), timezone.now()
    replicas = [each for each in Replica.objects.all() if age_s(each.heartbeat_at, now) <= FORGET_S]
    standings = [standing_of(each, model, now) for each in replicas]
    state, reason = _state(row, standings)
    laggards = find_laggards(row.committed_generation, standings)
    return Deployment(
        model=model,
        generation=row.routes_generation,
        committed_generation=row.committed_generation,
        state=state,
        reason=reason,
        has_converged=state == "committed" and bool(standings) and not laggards,
        laggards=laggards,
        replicas=tuple(map(_facts, replicas, standings, [model] * len(replicas))),
    )


def standing_of(replica: Replica, model: str, now: datetime) -> Standing:
    """What a replica's row says of `model`."""
    states = replica.states if isinstance(replica.states, dict) else {}
    return read_standing(replica.id, states.get(model), age_s(replica.heartbeat_at, now))


def find_failure(row: RegisteredModel) -> Event | None:
    """The event that says why the model's desired routes are not committed, if they failed."""
    return Event.objects.filter(
        model=row, kind=EventKind.SWAP_FAILED, details__generation=row.routes_generation
    ).first()


def _state(row: RegisteredModel, standings: list[Standing]) -> tuple[str, str]:
    if row.committed_generation == row.routes_generation:
        return "committed", ""
    failure = find_failure(row)
    if failure is not None:
        return "failed", failure.reason
    failed = [each for each in standings if each.failed == row.routes_generation]
    return ("failed", failed[0].reason) if failed else ("preparing", "")


def _facts(replica: Replica, standing: Standing, model: str) -> ReplicaFacts:
    state = replica.states.get(model) if isinstance(replica.states, dict) else None
    return ReplicaFacts(
        id=replica.id,
        is_ready=replica.is_ready,
        is_alive=standing.is_alive,
        heartbeat_at=replica.heartbeat_at,
        rss_bytes=replica.rss_bytes,
        prepared=standing.prepared,
        applied=standing.applied,
        is_asleep=bool((state or {}).get("asleep")),
        versions=tuple((state or {}).get("versions", ())),
    )
