"""From a commit to a version: the files are checked as a whole model, their view is published."""

from dataclasses import replace

from django.db import transaction

from registry import durable, inspection
from registry.errors import BlobDamaged, ContentRefused
from registry.location import open_store
from registry.manifests import Manifest, parse_manifest
from registry.models import Commit, RegisteredModel, Version
from registry.queries import find_model, version_spec
from registry.refs import EMPTY_MANIFEST, MAIN, find_commit
from registry.services.commits import append_commit, ensure_main
from registry.services.common import check_actor, check_text, lock_model
from registry.services.registration import Draft, Registration, check_pooling, publish
from registry.specs import VersionState
from registry.staging import Staging
from registry.store import Store

ADOPTER = "bellwether"


def seal(
    name: str,
    revision: str,
    *,
    actor: str,
    number: int | None = None,
    note: str = "",
    pooling: str | None = None,
) -> Registration:
    """Make the files of a revision a version, immutable from then on; `number` asks for vN.

    Files that are a version already change nothing. Raises ModelNotFound, RevisionNotFound,
    ContentRefused (no whole model, or not one that may enter), RefExists (the number was used),
    VersionConflict (the files have another number), InvalidField or StoreError.
    """
    actor, note = check_actor(actor), check_text("note", note)
    chosen = check_pooling(pooling)
    model = find_model(name)
    commit = find_commit(model, revision)
    manifest = _read(commit)
    inspection.check_listing({file.path: file.size for file in manifest.files})
    store = open_store()
    with store.open_staging() as staging:
        _link(store, manifest, staging)
        facts = inspection.inspect(staging.files, [file.path for file in manifest.files])
        draft = Draft(
            manifest=manifest,
            facts=replace(facts, pooling=chosen) if chosen else facts,
            source=f"commit {commit.oid[:12]}",
            note=note or commit.title,
            actor=actor,
            is_pooling_given=chosen is not None,
            commit=commit,
        )
        row, is_new = publish(name, staging, draft, number=number)
    return Registration(
        version=version_spec(row), state=VersionState(row.state), is_new=is_new, skipped=()
    )


def adopt_versions() -> int:
    """Give models made before there were commits a `main`, and their versions commits on it.

    Returns how many versions were adopted; meant for every start.
    """
    for model in RegisteredModel.objects.exclude(refs__name=MAIN):
        with transaction.atomic():
            ensure_main(lock_model(str(model)), actor=ADOPTER)
    n_adopted = 0
    for version in Version.objects.filter(commit__isnull=True).order_by("id"):
        n_adopted += _adopt(version)
    return n_adopted


@transaction.atomic
def _adopt(version: Version) -> int:
    model = lock_model(str(version.model))
    store, manifest = open_store(), parse_manifest(version.manifest, digest=version.digest)
    if not all(store.blob(file.sha256).is_file() for file in manifest.files):
        return 0
    title = f"Version {version.number} from {version.source}"
    head = ensure_main(model, actor=ADOPTER)
    commit = append_commit(model, MAIN, head, manifest, actor=ADOPTER, title=title)
    return Version.objects.filter(pk=version.pk).update(commit=commit)


def _read(commit: Commit) -> Manifest:
    if commit.manifest == EMPTY_MANIFEST:
        raise ContentRefused("the revision has no files: push some before sealing it")
    return parse_manifest(commit.manifest)


def _link(store: Store, manifest: Manifest, staging: Staging) -> None:
    for file in manifest.files:
        if durable.regular_size(store.blob(file.sha256)) != file.size:
            raise BlobDamaged(
                f"{file.path} is stored with the wrong size or not at all: verify the registry",
                details={"path": file.path},
            )
        target = staging.files / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        durable.link_or_copy(store.blob(file.sha256), target)
