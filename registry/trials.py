"""Which versions can be asked now, by a pin: those that serving processes have in memory."""

from dataclasses import dataclass

from django.utils import timezone

from registry.convergence import ALIVE_S, age_s
from registry.models import RegisteredModel, Replica, Version
from registry.queries import load_desired_state
from registry.specs import ModelRoutes, RouteMode

_IN_MEMORY = frozenset({"active", "ready", "standby"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialVersion:
    """A version that answers when it is asked by number; `role` is what it does otherwise."""

    number: int
    role: str
    digest: str
    task: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialModel:
    """A model with a version in memory; the stable one is the first."""

    name: str
    versions: tuple[TrialVersion, ...]


def load_trial_models() -> tuple[TrialModel, ...]:
    """Every model that can be asked, by name, in six queries."""
    state = load_desired_state()
    loaded = _loaded()
    rows = {
        (str(row.model), row.number): row
        for row in Version.objects.filter(
            model__in=RegisteredModel.objects.all(),
            number__in={number for numbers in loaded.values() for number in numbers},
        ).select_related("model")
    }
    models = (
        TrialModel(name=name, versions=_versions(name, routes, loaded.get(name, ()), rows))
        for name, routes in state.models.items()
    )
    return tuple(model for model in models if model.versions)


def _versions(
    name: str,
    routes: ModelRoutes,
    loaded: tuple[int, ...],
    rows: dict[tuple[str, int], Version],
) -> tuple[TrialVersion, ...]:
    found: dict[int, TrialVersion] = {}
    for place, route in enumerate(routes.committed):
        spec = route.version
        role = "stable" if place == 0 else "canary"
        if route.mode is RouteMode.SHADOW:
            role = "shadow"
        found[spec.number] = TrialVersion(
            number=spec.number, role=role, digest=spec.digest, task=spec.task, labels=spec.labels
        )
    for number in sorted(loaded, reverse=True):
        row = rows.get((name, number))
        if number not in found and row is not None:
            found[number] = TrialVersion(
                number=number,
                role="standing by",
                digest=row.digest,
                task=row.task,
                labels=tuple(row.labels),
            )
    return tuple(found.values())


def _loaded() -> dict[str, tuple[int, ...]]:
    """The versions that a process heard of lately has in memory, by model."""
    now = timezone.now()
    found: dict[str, set[int]] = {}
    for replica in Replica.objects.all():
        if age_s(replica.heartbeat_at, now) > ALIVE_S or not isinstance(replica.states, dict):
            continue
        for model, report in replica.states.items():
            for version in report.get("versions", ()):
                if version["state"] in _IN_MEMORY:
                    found.setdefault(model, set()).add(int(version["version"]))
    return {model: tuple(numbers) for model, numbers in found.items()}
