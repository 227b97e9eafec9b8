"""The readers of rollouts."""

from uuid import UUID

from django.db.models import QuerySet

from monitoring.errors import RolloutNotFound
from monitoring.models import Rollout
from registry import queries as registry


def rollouts_of(model: str) -> QuerySet[Rollout]:
    """A model's rollouts, newest first. Raises ModelNotFound."""
    registry.load_model(model)
    return Rollout.objects.filter(model=model).order_by("-created_at", "-id")


def find_rollout(model: str, id: UUID) -> Rollout:
    """One rollout of `model` with its events at hand. Raises RolloutNotFound."""
    rollout = Rollout.objects.prefetch_related("events").filter(model=model, id=id).first()
    if rollout is None:
        raise RolloutNotFound(f"{model} has no rollout {id}.", details={"rollout": str(id)})
    return rollout
