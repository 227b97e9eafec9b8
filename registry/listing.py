"""What pages list: a model's versions, its branches, what happened, backups to bring back from.

Readers like those of `registry.queries`: they return specs, never rows.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, QuerySet

from registry.models import Backup, Event, Ref, Version
from registry.queries import find_model, find_version, version_spec
from registry.services.backups import target_names
from registry.specs import RefKind, VersionSpec, VersionState
from registry.timeline import EventSpec, event_spec

MAX_BACKUPS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionFacts:
    """A version and what is told of it in a list.

    `id` is its row's, for the address of its page in the admin; `rejection` says why it must not be
    routed, empty where it may; `commit` is the id of the one it was sealed from, or empty.
    """

    id: int
    spec: VersionSpec
    state: VersionState
    rejection: str
    n_files: int
    note: str
    source: str
    commit: str
    created_at: datetime
    created_by: str
    n_signatures: int

    @property
    def is_routable(self) -> bool:
        """Whether nothing that its row says speaks against a route."""
        return self.state is VersionState.SEALED and not self.rejection


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchFacts:
    """A branch and the commit that it is at; `number` is the version sealed from that, if one is.

    `title` and `updated_at` are the commit's.
    """

    name: str
    commit: str
    title: str
    author: str
    updated_at: datetime
    number: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFacts:
    """A snapshot that was written to a configured target; `is_sound` is None before a check."""

    target: str
    name: str
    created_at: datetime
    n_bytes: int
    is_sound: bool | None


def load_versions(model: str, *, offset: int, limit: int) -> tuple[VersionFacts, ...]:
    """A model's versions, the newest first; raises ModelNotFound."""
    return tuple(map(_facts, _versions(model)[offset : offset + limit]))


def load_numbered(model: str, numbers: set[int]) -> tuple[VersionFacts, ...]:
    """Those of the model's versions that are named and are there, the newest first."""
    return tuple(map(_facts, _versions(model).filter(number__in=numbers)))


def load_version_facts(model: str, number: int) -> VersionFacts:
    """One version; raises ModelNotFound or VersionNotFound."""
    row = find_version(find_model(model), number)
    return _facts(_versions(model).get(pk=row.pk))


def load_numbers(model: str, *, limit: int) -> tuple[int, ...]:
    """The numbers of a model's newest versions; raises ModelNotFound."""
    rows = Version.objects.filter(model=find_model(model)).order_by("-number")
    return tuple(rows.values_list("number", flat=True)[:limit])


def load_branches(model: str) -> tuple[BranchFacts, ...]:
    """A model's branches by name; raises ModelNotFound."""
    row = find_model(model)
    refs = Ref.objects.filter(model=row, kind=RefKind.BRANCH).select_related("commit")
    branches = list(refs.order_by("name"))
    sealed = dict(
        Version.objects.filter(commit__in=[ref.commit_id for ref in branches])
        .order_by("number")
        .values_list("commit_id", "number")
    )
    return tuple(
        BranchFacts(
            name=ref.name,
            commit=ref.commit.oid,
            title=ref.commit.title,
            author=ref.commit.author,
            updated_at=ref.commit.created_at,
            number=sealed.get(ref.commit_id),
        )
        for ref in branches
    )


def load_events(model: str, *, after: int = 0, limit: int) -> tuple[EventSpec, ...]:
    """What happened to a model since the event `after`, newest first; raises ModelNotFound."""
    rows = Event.objects.filter(model=find_model(model), id__gt=after).order_by("-id")
    return tuple(map(event_spec, rows[:limit]))


def load_snapshots() -> tuple[SnapshotFacts, ...]:
    """Snapshots at configured targets, as they were written from here, the newest first."""
    rows = Backup.objects.filter(target__in=target_names()).order_by("-created_at")
    return tuple(
        SnapshotFacts(
            target=row.target,
            name=row.snapshot,
            created_at=row.created_at,
            n_bytes=row.n_bytes,
            is_sound=row.is_sound,
        )
        for row in rows[:MAX_BACKUPS]
    )


def _versions(model: str) -> QuerySet[Version]:
    rows = Version.objects.filter(model=find_model(model)).select_related("model", "commit")
    return (
        rows.defer("manifest", "commit__manifest")
        .annotate(n_signatures=Count("signatures"))
        .order_by("-number")
    )


def _facts(row: Version) -> VersionFacts:
    return VersionFacts(
        id=row.pk,
        spec=version_spec(row),
        state=VersionState(row.state),
        rejection=row.rejection,
        n_files=row.n_files,
        note=row.note,
        source=row.source,
        commit=row.commit.oid if row.commit else "",
        created_at=row.created_at,
        created_by=row.created_by,
        n_signatures=getattr(row, "n_signatures", 0),
    )
