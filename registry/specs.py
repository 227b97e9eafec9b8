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
    LAST = "last"


class RouteMode(StrEnum):
    """Whether a routed version answers (live) or only sees copies of the traffic (shadow)."""

    LIVE = "live"
    SHADOW = "shadow"


class Stickiness(StrEnum):
    """What keeps a caller on one version: its API key, or nothing (each request is drawn anew)."""

    KEY = "key"
    REQUEST = "request"


class VersionKind(StrEnum):
    """Whether a version's model lies in its files, or behind a remote endpoint that they name."""

    FILES = "files"
    REMOTE = "remote"


class RefKind(StrEnum):
    """A branch grows with commits, a tag stays, an alias is moved between versions."""

    BRANCH = "branch"
    TAG = "tag"
    ALIAS = "alias"


class OperationKind(StrEnum):
    """Long work that can be watched."""

    IMPORT = "import"
    ARCHIVE = "archive"
    BACKUP = "backup"
    RESTORE = "restore"
    VERIFY = "verify"
    DRILL = "drill"
    GC = "gc"
    ENDPOINT = "endpoint"


class OperationState(StrEnum):
    """How far an operation is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


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
    HEALED = "healed"
    COMMITTED = "committed"
    REF_SET = "ref_set"
    REF_DELETED = "ref_deleted"
    ROUTED = "routed"
    SWAPPED = "swapped"
    SWAP_FAILED = "swap_failed"
    GOLDEN_SET = "golden_set"
    SIGNED = "signed"
    POLICY_SET = "policy_set"
    PINNED = "pinned"
    KEY_TRUSTED = "key_trusted"
    KEY_DISTRUSTED = "key_distrusted"
    BACKED_UP = "backed_up"
    RESTORED = "restored"
    FORGOTTEN = "forgotten"
    SWEPT = "swept"
    DELETED = "deleted"
    REJECTED = "rejected"
    REINSTATED = "reinstated"
    REBASELINED = "rebaselined"
    ERASED = "erased"


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
    kind: VersionKind = VersionKind.FILES


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSpec:
    """A share of a model's traffic: `weight` is percent, of a shadow the percent copied to it."""

    version: VersionSpec
    mode: RouteMode
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRoutes:
    """What should be served of one model, stable route first.

    `desired` holds since `generation`; `committed` is what replicas may answer with, since
    `committed_generation`. They are the same unless a change is being prepared, or failed.
    A model that `is_pinned` is never unloaded to make room for others.
    """

    generation: int
    desired: tuple[RouteSpec, ...]
    committed_generation: int
    committed: tuple[RouteSpec, ...]
    salt: str
    stickiness: Stickiness
    is_pinned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredState:
    """What should be served, for every registered model, as of the registry's `generation`."""

    generation: int
    models: dict[str, ModelRoutes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """That a model was deleted, and whether there is one of its name again."""

    model: str
    at: datetime
    is_again: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One registered model. `live` is the version that answers, None before the first promotion."""

    name: str
    description: str
    created_at: datetime
    n_versions: int
    live: VersionSpec | None
    is_pinned: bool = False
