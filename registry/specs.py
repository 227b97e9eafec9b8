"""Frozen facts about models, versions and routes, as other apps see them.

Rows never leave the registry; these do. A spec is a snapshot: read again to see a change.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path


class Pooling(StrEnum):
    """How the last hidden states of a text become one vector."""

    CLS = "cls"
    MEAN = "mean"
    MAX = "max"


class RouteMode(StrEnum):
    """Whether a routed version answers (live) or only sees copies of the traffic (shadow)."""

    LIVE = "live"
    SHADOW = "shadow"


class VersionState(StrEnum):
    """Whether a version may be routed: only a sealed one may."""

    SEALED = "sealed"
    RETIRED = "retired"
    DAMAGED = "damaged"


class EventKind(StrEnum):
    """What happened to a model."""

    CREATED = "created"
    REGISTERED = "registered"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    RETIRED = "retired"
    VERIFIED = "verified"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionSpec:
    """One immutable version.

    `model` is `namespace/name`; `digest` the sha256 (hex) of its canonical manifest; `labels` the
    class names in logit order; `view` the read-only directory that loaders read (never sent to a
    caller); `n_bytes` the sum of its files' sizes.
    """

    model: str
    number: int
    digest: str
    task: str
    labels: tuple[str, ...]
    pooling: Pooling
    view: Path
    n_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSpec:
    """A share of a model's traffic: `weight` is relative to the other live routes' weights."""

    version: VersionSpec
    mode: RouteMode
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredState:
    """What should be served, for every registered model, as of `generation`."""

    generation: int
    routes: dict[str, tuple[RouteSpec, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One registered model. `live` is the version that answers, None before the first promotion."""

    name: str
    description: str
    created_at: datetime
    n_versions: int
    live: VersionSpec | None
