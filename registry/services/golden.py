"""A version's golden inputs: given with its files, or made by those who can run it."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from registry import golden
from registry.content import read_json
from registry.errors import ContentRefused
from registry.golden import GoldenSpec
from registry.location import open_store
from registry.manifests import parse_manifest
from registry.models import Golden, Version
from registry.queries import find_model, find_version, version_spec
from registry.services.common import add_event, check_actor, lock_model
from registry.specs import EventKind, VersionKind, VersionSpec, VersionState

ACTOR = "bellwether"


def load_golden(model: str, number: int) -> GoldenSpec | None:
    """The version's golden inputs, None while there are none.

    Those that came with its files are stored by the first who asks. Raises ModelNotFound or
    VersionNotFound.
    """
    version = find_version(find_model(model), number)
    row = Golden.objects.filter(version=version).first()
    if row is not None:
        return golden.restore(row.cases, row.tolerance, row.is_given)
    given = _read_given(version)
    return None if given is None else store_golden(model, number, given, actor=ACTOR)


@transaction.atomic
def store_golden(model: str, number: int, spec: GoldenSpec, *, actor: str) -> GoldenSpec:
    """Keep `spec` as the version's golden inputs, unless it has some; returns those that count.

    Raises ModelNotFound or VersionNotFound.
    """
    actor = check_actor(actor)
    locked = lock_model(model)
    version = find_version(locked, number)
    row, is_new = Golden.objects.get_or_create(
        version=version,
        defaults={
            "cases": [case.as_json() for case in spec.cases],
            "tolerance": spec.tolerance,
            "is_given": spec.is_given,
        },
    )
    if is_new:
        add_event(
            EventKind.GOLDEN_SET,
            locked,
            version=version,
            actor=actor,
            details={
                "n_cases": len(spec.cases),
                "tolerance": spec.tolerance,
                "is_given": spec.is_given,
            },
        )
    return golden.restore(row.cases, row.tolerance, row.is_given)


def find_without_golden(*, older_than_s: float = 0.0, limit: int = 20) -> tuple[VersionSpec, ...]:
    """Sealed versions that have no golden inputs yet, newest first; remote ones need none."""
    rows = Version.objects.filter(
        golden__isnull=True,
        state=VersionState.SEALED,
        kind=VersionKind.FILES,
        created_at__lte=timezone.now() - timedelta(seconds=older_than_s),
    )
    return tuple(map(version_spec, rows.select_related("model").order_by("-id")[:limit]))


def _read_given(version: Version) -> GoldenSpec | None:
    file = open_store().view(version.digest) / golden.FILE
    paths = {each.path for each in parse_manifest(version.manifest, digest=version.digest).files}
    if golden.FILE not in paths or not file.is_file():
        return None
    try:
        return golden.parse_given(read_json(golden.FILE, file), version.labels)
    except ContentRefused:
        # From before such files had a meaning: it is only a file then.
        return None
