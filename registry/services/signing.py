"""Signatures of versions: made, kept, and checked where a model asks for them.

A version counts as signed when a bundle's signature is that of a key trusted now, for every model
or for this one, and the files it lists are exactly the version's. What a bundle says is never
remembered as true: it is checked each time, so a key distrusted today no longer counts today.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from registry.errors import (
    InvalidManifest,
    InvalidSignature,
    RegistryError,
    SignatureRequired,
    TrustedKeyNotFound,
)
from registry.manifests import parse_manifest
from registry.models import RegisteredModel, Signature, TrustedKey, Version
from registry.queries import find_model, find_version
from registry.services.common import add_event, check_actor, lock_model
from registry.signatures import (
    Bundle,
    differences,
    is_signed_by,
    parse_bundle,
    parse_public_key,
    sign,
)
from registry.specs import EventKind


class SignatureStatus(StrEnum):
    """What a signature is worth now."""

    VALID = "valid"
    UNTRUSTED = "untrusted"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureSpec:
    """A signature of a version as it counts now; `key` is the trusted key's name, if there is one.

    `problem` says why it does not count, empty if it does.
    """

    fingerprint: str
    key: str | None
    status: SignatureStatus
    problem: str
    added_by: str
    created_at: datetime


def check_policy(model: str, number: int) -> None:
    """Refuse a version that its model's policy does not let serve.

    Nothing is asked of a version whose model has no policy. Raises SignatureRequired, also where
    signatures cannot be checked here; ModelNotFound, VersionNotFound.
    """
    row = find_model(model)
    if row.requires_signature:
        _require_signature(find_version(row, number))


def is_signed(version: Version) -> bool:
    """Whether the version has a signature that counts now, and it can be checked here."""
    try:
        _require_signature(version)
    except SignatureRequired:
        return False
    return True


def load_signatures(model: str, number: int) -> tuple[SignatureSpec, ...]:
    """A version's signatures, each checked now; raises ModelNotFound or VersionNotFound."""
    return _check_all(find_version(find_model(model), number))


def load_bundle(model: str, number: int, fingerprint: str) -> str:
    """The bundle by one signer, as it was given; raises TrustedKeyNotFound where there is none."""
    version = find_version(find_model(model), number)
    rows = Signature.objects.filter(version=version)
    row = next((each for each in rows if each.fingerprint == fingerprint), None)
    if row is None:
        raise TrustedKeyNotFound(f"{version} has no signature by {fingerprint:.64}")
    return row.bundle


def attach(model: str, number: int, bundle: str, *, actor: str) -> SignatureSpec:
    """Keep a bundle that was made elsewhere, if it counts; returns its signature.

    Raises InvalidSignature when it is not by a trusted key or not over exactly these files.
    """
    actor, parsed = check_actor(actor), parse_bundle(bundle)
    version = find_version(find_model(model), number)
    key = _find_signer(version.model, parsed)
    if key is None:
        raise InvalidSignature(
            "no trusted key made this signature: trust the signer's public key first"
        )
    return _keep(version, key.fingerprint, bundle, parsed, actor)


def sign_version(
    model: str, number: int, *, key: bytes, password: bytes | None = None, actor: str
) -> SignatureSpec:
    """Sign a version's files with a PEM private key, which is used and forgotten.

    The signature is kept even while its key is not trusted; then it does not count. Raises
    InvalidPublicKey, SigningUnavailable, ModelNotFound, VersionNotFound.
    """
    actor = check_actor(actor)
    version = find_version(find_model(model), number)
    bundle = sign(_files(version), subject=model, key=key, password=password)
    parsed = parse_bundle(bundle)
    return _keep(version, parsed.hint, bundle, parsed, actor)


@transaction.atomic
def _keep(
    version: Version, fingerprint: str, bundle: str, parsed: Bundle, actor: str
) -> SignatureSpec:
    model = lock_model(str(version.model))
    problem = differences(parsed.files, _files(version))
    if problem:
        raise InvalidSignature(f"the signature {problem}", details={"version": version.number})
    row = Signature.objects.filter(version=version, fingerprint=fingerprint).first()
    if row is None or _check(row, version).status is SignatureStatus.INVALID:
        row, _ = Signature.objects.update_or_create(
            version=version,
            fingerprint=fingerprint,
            defaults={"bundle": bundle, "added_by": actor, "created_at": timezone.now()},
        )
        add_event(
            EventKind.SIGNED,
            model,
            version=version,
            actor=actor,
            details={"fingerprint": fingerprint, "digest": version.digest},
        )
    return _check(row, version)


def _require_signature(version: Version) -> None:
    try:
        found = _check_all(version)
    except RegistryError as error:
        raise SignatureRequired(
            f"{version} must be signed, and that cannot be checked: {error.message}",
            details={"model": str(version.model), "version": version.number},
        ) from error
    if any(each.status is SignatureStatus.VALID for each in found):
        return
    problems = [f"{each.fingerprint[:12]}: {each.problem}" for each in found]
    raise SignatureRequired(
        f"{version} needs a signature by a trusted key and has "
        f"{'none' if not found else 'only ' + '; '.join(problems)}: sign it, or trust the key",
        details={"model": str(version.model), "version": version.number, "signatures": problems},
    )


def _check_all(version: Version) -> tuple[SignatureSpec, ...]:
    rows = Signature.objects.filter(version=version).order_by("id")
    return tuple(_check(row, version) for row in rows)


def _check(row: Signature, version: Version) -> SignatureSpec:
    key = TrustedKey.objects.filter(fingerprint=row.fingerprint).first()
    status, problem = _judge(row, version, key)
    return SignatureSpec(
        fingerprint=row.fingerprint,
        key=key.name if key else None,
        status=status,
        problem=problem,
        added_by=row.added_by,
        created_at=row.created_at,
    )


def _judge(row: Signature, version: Version, key: TrustedKey | None) -> tuple[SignatureStatus, str]:
    try:
        bundle = parse_bundle(row.bundle)
        problem = differences(bundle.files, _files(version))
    except (InvalidSignature, InvalidManifest) as error:
        return SignatureStatus.INVALID, error.message
    if problem:
        return SignatureStatus.INVALID, f"the signature {problem}"
    if key is None:
        return SignatureStatus.UNTRUSTED, "its key is not trusted"
    if key.model_id not in (None, version.model_id):
        return SignatureStatus.UNTRUSTED, "its key is trusted for another model"
    if parse_public_key(key.pem).fingerprint != row.fingerprint:
        return SignatureStatus.INVALID, "the trusted key is not the one that it names"
    if not is_signed_by(bundle, key.pem):
        return SignatureStatus.INVALID, "it was not made by the key that it names"
    return SignatureStatus.VALID, ""


def _find_signer(model: RegisteredModel, bundle: Bundle) -> TrustedKey | None:
    keys = TrustedKey.objects.filter(Q(model=None) | Q(model=model)).order_by("id")
    if bundle.hint:
        keys = keys.filter(fingerprint=bundle.hint)
    return next((key for key in keys if is_signed_by(bundle, key.pem)), None)


def _files(version: Version) -> dict[str, str]:
    manifest = parse_manifest(version.manifest, digest=version.digest)
    return {file.path: file.sha256 for file in manifest.files}
