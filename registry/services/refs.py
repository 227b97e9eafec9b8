"""Names for commits: branches, tags and aliases. A tag `vN` seals version N."""

from django.db import transaction
from django.utils import timezone

from registry.errors import InvalidRef, RefExists, RevisionNotFound
from registry.models import Ref, RegisteredModel
from registry.names import check_ref_name, version_number
from registry.queries import find_model
from registry.refs import FOLLOWING, MAIN, find_commit, find_version_of
from registry.services.common import add_event, check_text, lock_model
from registry.services.sealing import seal
from registry.specs import EventKind, RefKind


@transaction.atomic
def create_branch(name: str, branch: str, *, start: str = MAIN, actor: str) -> None:
    """Make a branch at the revision `start`.

    Raises ModelNotFound, RevisionNotFound, InvalidRef or RefExists.
    """
    model = lock_model(name)
    _add(model, RefKind.BRANCH, branch, start, message="", actor=actor)


@transaction.atomic
def delete_branch(name: str, branch: str, *, actor: str) -> None:
    """Forget a branch; its commits stay until a sweep. Raises RevisionNotFound or InvalidRef."""
    if branch == MAIN:
        raise InvalidRef(f"{MAIN} cannot be deleted: every model has it")
    _delete(lock_model(name), RefKind.BRANCH, branch, actor=actor)


def create_tag(name: str, tag: str, revision: str, *, actor: str, message: str = "") -> None:
    """Tag a revision; a tag `vN` seals it as version N.

    Raises ModelNotFound, RevisionNotFound, InvalidRef, RefExists, and what `seal` raises.
    """
    message = check_text("message", message)
    number = version_number(check_ref_name(tag))
    if number is None:
        with transaction.atomic():
            _add(lock_model(name), RefKind.TAG, tag, revision, message=message, actor=actor)
        return
    if not seal(name, revision, actor=actor, number=number, note=message).is_new:
        raise RefExists(f"{name} has {tag} already, and it never changes", details={"name": tag})


@transaction.atomic
def delete_tag(name: str, tag: str, *, actor: str) -> None:
    """Forget a tag. Raises RevisionNotFound, or InvalidRef for a version's: those are retired."""
    if version_number(tag) is not None:
        find_commit(find_model(name), tag)
        raise InvalidRef(f"{tag} is a version and stays: retire it instead", details={"name": tag})
    _delete(lock_model(name), RefKind.TAG, tag, actor=actor)


@transaction.atomic
def set_alias(name: str, alias: str, revision: str, *, actor: str) -> None:
    """Let `alias` mean the version that `revision` is sealed as, whatever it meant before.

    Raises ModelNotFound, RevisionNotFound, InvalidRef, or RefExists for a branch's or tag's name.
    """
    model = lock_model(name)
    _check_free_name(alias)
    version = find_version_of(model, revision)
    assert version.commit is not None  # noqa: S101 - it was found by its commit
    existing = Ref.objects.filter(model=model, name=alias).first()
    if existing and existing.kind != RefKind.ALIAS:
        raise RefExists(f"{alias} is a {existing.kind} of {name}", details={"name": alias})
    Ref.objects.update_or_create(
        model=model,
        name=alias,
        defaults={
            "kind": RefKind.ALIAS,
            "commit": version.commit,
            "updated_at": timezone.now(),
        },
    )
    details = {"kind": RefKind.ALIAS.value, "name": alias}
    add_event(EventKind.REF_SET, model, version=version, actor=actor, details=details)


@transaction.atomic
def delete_alias(name: str, alias: str, *, actor: str) -> None:
    """Forget an alias; raises RevisionNotFound, or InvalidRef for one that follows the routes."""
    _check_free_name(alias)
    _delete(lock_model(name), RefKind.ALIAS, alias, actor=actor)


def _add(
    model: RegisteredModel, kind: RefKind, name: str, revision: str, *, message: str, actor: str
) -> None:
    _check_free_name(name)
    commit = find_commit(model, revision)
    if Ref.objects.filter(model=model, name=name).exists():
        raise RefExists(f"{model} has a ref {name} already", details={"name": name})
    Ref.objects.create(model=model, kind=kind, name=name, commit=commit, message=message)
    details = {"kind": kind.value, "name": name, "commit": commit.oid}
    add_event(EventKind.REF_SET, model, actor=actor, details=details)


def _delete(model: RegisteredModel, kind: RefKind, name: str, *, actor: str) -> None:
    n_deleted, _ = Ref.objects.filter(model=model, kind=kind, name=name).delete()
    if not n_deleted:
        raise RevisionNotFound(
            f"{model} has no {kind} {name!r:.120}", details={"model": str(model)}
        )
    details = {"kind": kind.value, "name": name}
    add_event(EventKind.REF_DELETED, model, actor=actor, details=details)


def _check_free_name(name: str) -> None:
    check_ref_name(name)
    if name in FOLLOWING:
        raise InvalidRef(f"{name} follows the routes: promote or roll back instead")
    if version_number(name) is not None:
        raise InvalidRef(f"{name} names a version: seal one with a tag of that name")
