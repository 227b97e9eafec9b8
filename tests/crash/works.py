"""The works that are killed half-way: where each starts, what it does, what it may leave behind.

A place is a folder with `home/` (database and artifacts) and `target/` (a backup target). Every
function runs in a process that has been pointed at one.
"""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import connection
from django.utils import timezone

from registry import queries, services
from registry.backups.checking import check_target, list_snapshots
from registry.backups.retention import parse_policy
from registry.backups.targets import DirectoryTarget
from registry.location import open_store
from registry.manifests import parse_manifest
from registry.models import Blob, Commit, Event, Ref, RegisteredModel, Version
from registry.services import backups, commits, healing, intake, refs, restoring, sweeping
from registry.services.audit import verify_chain
from registry.services.scrubbing import scrub
from tests.registry.builders import build_model_dir

MODEL, OTHER = "team/tiny", "team/other"
ACTOR = "alice"


def fill(place: Path) -> None:
    """Versions 1 (retired long ago), 2 (was live) and 3 (live), another model, other names."""
    for seed in (1, 2, 3):
        services.register_directory(
            build_model_dir(place / f"model-{seed}", seed=seed), MODEL, actor=ACTOR
        )
    services.register_directory(
        build_model_dir(place / "model-4", seed=4), OTHER, actor=ACTOR, note="another"
    )
    for number in (2, 3):
        services.promote(MODEL, number, actor=ACTOR)
    refs.create_branch(MODEL, "feature/x", actor=ACTOR)
    refs.set_alias(MODEL, "stable", "v2", actor=ACTOR)
    backups.back_up(target(place), actor=ACTOR)
    services.retire(MODEL, 1, actor=ACTOR)
    Version.objects.filter(number=1, model__name="tiny").update(
        retired_at=timezone.now() - timedelta(days=200)
    )
    Commit.objects.filter(model__name="tiny").update(
        created_at=timezone.now() - timedelta(days=200)
    )
    backups.back_up(target(place), actor=ACTOR)
    build_model_dir(place / "model-9", seed=9)


def target(place: Path) -> DirectoryTarget:
    return DirectoryTarget(place / "target", label="safe")


def empty(place: Path) -> None:
    """As a new database and an empty home."""
    from django.apps import apps

    with connection.constraint_checks_disabled(), connection.cursor() as cursor:
        for model in apps.get_app_config("registry").get_models():
            cursor.execute(f'DELETE FROM "{model._meta.db_table}"')
    artifacts = place / "home" / "artifacts"
    for folder in artifacts.rglob("*"):
        if folder.is_dir():
            folder.chmod(0o755)
    shutil.rmtree(artifacts)


def damage(place: Path) -> None:
    """One bit of version 3's weights is wrong, and a file that every version has is gone."""
    files = parse_manifest(Version.objects.get(model__name="tiny", number=3).manifest).files
    weights = open_store().blob(next(f.sha256 for f in files if f.path == "model.safetensors"))
    weights.chmod(0o644)
    data = weights.read_bytes()
    weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    open_store().blob(next(f.sha256 for f in files if f.path == "config.json")).unlink()


def facts(place: Path) -> dict[str, Any]:
    """What a work may change, as one value to compare."""
    models = RegisteredModel.objects.order_by("pk")
    return {
        "versions": [[str(v), v.state] for v in Version.objects.order_by("pk")],
        "live": [[str(m), getattr(queries.load_live_version(str(m)), "number", 0)] for m in models],
        "refs": [[r.name, r.kind] for r in Ref.objects.order_by("pk")],
        "commits": Commit.objects.filter(created_at__gt=timezone.now() - timedelta(days=1)).count(),
        "events": Event.objects.exclude(kind__in=("backed_up", "forgotten", "swept")).count(),
        "snapshots": len(list_snapshots(target(place))),
    }


def faults(place: Path) -> list[str]:
    """Everything that must hold after any crash and does not; the store recovers first."""
    services.recover()
    store = open_store()
    found = [f"{one.where}: {one.problem}" for one in scrub(actor=ACTOR).findings]
    found += [f"audit: {fault.message}" for fault in verify_chain().faults]
    found += [f"target: {one.path}: {one.problem}" for one in check_target(target(place)).faults]
    for folder in (store.stagings, store.views):
        if folder.is_dir():
            found += [f"left {p.name}" for p in folder.iterdir() if not store.view(p.name).is_dir()]
            found += [f"left {p.name}" for p in folder.glob("*.tmp-*")]
    known = {version.digest for version in Version.objects.exclude(versionblob=None)}
    found += [f"no view {digest}" for digest in known if not store.view(digest).is_dir()]
    return found


def put_commit(place: Path) -> None:
    model = queries.find_model(MODEL)
    content = b"# A card\n"
    with open_store().open_staging() as staging:
        staged = staging.files / "README.md"
        staged.write_bytes(content)
        kept = intake.keep_file(
            model,
            staged,
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            actor=ACTOR,
        )
    changes = commits.Changes(add={"README.md": replace(kept, path="README.md")})
    commits.commit_changes(MODEL, "main", changes, actor=ACTOR, title="Add a card")


def publish(place: Path) -> None:
    services.register_directory(place / "model-9", MODEL, actor=ACTOR)


def heal(place: Path) -> None:
    scrub(actor=ACTOR)
    healing.heal([target(place)], actor=ACTOR)


def restore(place: Path) -> None:
    if not RegisteredModel.objects.exists():
        restoring.restore(target(place), actor=ACTOR)


def sweep(place: Path) -> None:
    sweeping.sweep(actor=ACTOR, grace=timedelta(0))


def verdict_of_sweep(place: Path) -> list[str]:
    """After a whole sweep nothing spare is left, row or file."""
    store, told = open_store(), sweeping.look()
    files = {path.name for path in store.blobs.glob("*/*/*")}
    rows = set(Blob.objects.values_list("pk", flat=True))
    spare = [f"{reason}: {total}" for reason, total in told.spare.items()]
    return spare + [f"stray {name}" for name in files ^ rows]


def healed(place: Path) -> list[str]:
    rows = Version.objects.filter(state="damaged")
    return [f"{row} is still damaged" for row in rows]


def back_up_in_the_wrong_order(place: Path) -> None:
    """Writes the snapshot before what it names."""
    from registry.backups import writing
    from registry.services import backups as service

    ordered, late = writing.write_blobs, []

    def postponed(*given: Any) -> tuple[int, int]:
        late.append((*given[:3], lambda done, total: None))
        return 0, 0

    writing.write_blobs = postponed
    try:
        service.back_up(target(place), actor=ACTOR)
    finally:
        writing.write_blobs = ordered
    for given in late:
        ordered(*given)


@dataclass(frozen=True)
class Work:
    """`run` is killed. Before, `start` changes the common place; `finished` says what is still
    wrong once it was run to its end. `is_one_step`: what is seen is the old or the new state only.
    """

    run: Callable[[Path], object]
    start: Callable[[Path], object] = lambda place: None
    finished: Callable[[Path], list[str]] = lambda place: []
    is_one_step: bool = True
    is_sound_at_once: bool = True


def forget_files(place: Path) -> None:
    shutil.rmtree(place / "target")


# To show that the matrix sees what it should: these must fail somewhere.
WRONG: dict[str, Work] = {
    "back up in the wrong order": Work(back_up_in_the_wrong_order, start=forget_files),
}
WORKS: dict[str, Work] = {
    "publish": Work(publish),
    "commit": Work(put_commit),
    "promote": Work(lambda place: services.promote(MODEL, 2, actor=ACTOR)),
    "roll back": Work(
        lambda place: (
            queries.load_live_version(MODEL).number == 3 and services.rollback(MODEL, actor=ACTOR)
        )
    ),
    "delete": Work(
        lambda place: (
            RegisteredModel.objects.filter(name="other").exists()
            and services.delete_model(OTHER, actor=ACTOR)
        )
    ),
    "back up": Work(lambda place: backups.back_up(target(place), actor=ACTOR)),
    "prune": Work(lambda place: backups.forget(target(place), parse_policy("last=1"), actor=ACTOR)),
    "restore": Work(restore, start=empty),
    "sweep": Work(sweep, finished=verdict_of_sweep, is_one_step=False),
    "heal": Work(heal, start=damage, finished=healed, is_one_step=False, is_sound_at_once=False),
}
