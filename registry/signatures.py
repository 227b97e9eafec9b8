"""Signatures over a version's files, in the format of the OpenSSF model-signing tool (pure).

A bundle (JSON) holds a DSSE envelope whose payload is an in-toto statement that lists every path
with its sha256; it is signed with an elliptic curve key (ECDSA over P-256, P-384 or P-521). The
manifest of a version has those digests already, so neither signing nor verifying reads its files.
`model_signing verify key` accepts what is made here, and what `model_signing sign key` makes is
accepted here. Formats: the sigstore bundle 0.3, DSSE 1.0.0, in-toto statement 1,
https://model_signing/signature/v1.0.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from registry.errors import InvalidPublicKey, InvalidSignature, SigningUnavailable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import (
        EllipticCurvePrivateKey,
        EllipticCurvePublicKey,
    )

MAX_BUNDLE_CHARS = 4 * 1024**2
MAX_PEM_CHARS = 10_000

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"

_HASHES = {"secp256r1": "SHA256", "secp384r1": "SHA384", "secp521r1": "SHA512"}


@dataclass(frozen=True, slots=True)
class Bundle:
    """A parsed bundle, nothing of it believed yet. `hint` is the signer's fingerprint, or empty."""

    hint: str
    payload: bytes
    signature: bytes
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key in its one PEM form; `fingerprint` is the sha256 (hex) of that text."""

    pem: str
    fingerprint: str


def parse_public_key(pem: str) -> PublicKey:
    """Read a PEM public key; raises InvalidPublicKey or SigningUnavailable."""
    return _public(_load_public(pem))


def sign(files: Mapping[str, str], *, subject: str, key: bytes, password: bytes | None) -> str:
    """Sign `files` (sha256 by path) with a PEM private key; returns the bundle.

    `subject` is only a name. Raises InvalidPublicKey when the key or its password is not right.
    """
    private = _load_private(key, password)
    payload = _statement(files, subject)
    signature = private.sign(_encoded(payload), _algorithm(private.public_key()))
    bundle = {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {
            "publicKey": {"hint": _public(private.public_key()).fingerprint},
            "tlogEntries": [],
        },
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": base64.b64encode(signature).decode(), "keyid": ""}],
        },
    }
    return json.dumps(bundle, separators=(",", ":"))


def parse_bundle(text: str) -> Bundle:
    """Read a bundle without believing it; raises InvalidSignature."""
    if len(text) > MAX_BUNDLE_CHARS:
        raise InvalidSignature(f"the bundle is over {MAX_BUNDLE_CHARS} characters")
    try:
        outer = json.loads(text)
        material, envelope = outer["verificationMaterial"], outer["dsseEnvelope"]
        (signature,) = envelope["signatures"]
        payload = base64.b64decode(envelope["payload"], validate=True)
        bundle = Bundle(
            hint=str(material["publicKey"].get("hint") or ""),
            payload=payload,
            signature=base64.b64decode(signature["sig"], validate=True),
            files=_read_statement(payload),
        )
        kinds = (outer["mediaType"], envelope["payloadType"])
    except (
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
        RecursionError,
        binascii.Error,
    ) as error:
        raise InvalidSignature(
            "this is not a bundle that `model_signing sign key` makes"
        ) from error
    if kinds != (MEDIA_TYPE, PAYLOAD_TYPE):
        raise InvalidSignature(f"the bundle must be {MEDIA_TYPE} around {PAYLOAD_TYPE}")
    return bundle


def is_signed_by(bundle: Bundle, pem: str) -> bool:
    """Whether the signature is that of the public key `pem` over the bundle's payload."""
    from cryptography.exceptions import InvalidSignature as WrongSignature

    key = _load_public(pem)
    try:
        key.verify(bundle.signature, _encoded(bundle.payload), _algorithm(key))
    except WrongSignature:
        return False
    return True


def differences(signed: Mapping[str, str], files: Mapping[str, str]) -> str:
    """How the files signed differ from `files` (sha256 by path), in words; empty if they do not."""
    if signed == files:
        return ""
    for problem, paths in (
        ("does not cover", files.keys() - signed.keys()),
        ("covers files that are not there:", signed.keys() - files.keys()),
        ("is over other bytes of", {p for p in files if signed.get(p, files[p]) != files[p]}),
    ):
        if paths:
            more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
            return f"{problem} {min(paths):.120}{more}"
    return ""


def _statement(files: Mapping[str, str], subject: str) -> bytes:
    ordered = sorted(files.items(), key=lambda item: PurePosixPath(item[0]))
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": subject, "digest": {"sha256": _root(dict(ordered))}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False},
            "resources": [
                {"name": path, "algorithm": "sha256", "digest": sha256} for path, sha256 in ordered
            ],
        },
    }
    return json.dumps(statement, ensure_ascii=False, separators=(",", ":")).encode()


def _read_statement(payload: bytes) -> dict[str, str]:
    statement = json.loads(payload)
    if statement["_type"] != STATEMENT_TYPE or statement["predicateType"] != PREDICATE_TYPE:
        raise InvalidSignature(f"the statement must be {PREDICATE_TYPE}")
    predicate = statement["predicate"]
    way = predicate["serialization"]
    if (way["method"], way["hash_type"]) != ("files", "sha256"):
        raise InvalidSignature("sign whole files by sha256, which is what model_signing does")
    resources = [
        (each["name"], each["algorithm"], each["digest"]) for each in predicate["resources"]
    ]
    files = {name: digest for name, _, digest in resources}
    (subject,) = statement["subject"]
    is_consistent = (
        len(files) == len(resources)
        and all(isinstance(part, str) for each in resources for part in each)
        and all(algorithm == "sha256" for _, algorithm, _ in resources)
        and subject["digest"] == {"sha256": _root(files)}
    )
    if not is_consistent:
        raise InvalidSignature("the statement's digests do not agree with each other")
    return files


def _root(files: Mapping[str, str]) -> str:
    return hashlib.sha256(b"".join(bytes.fromhex(sha256) for sha256 in files.values())).hexdigest()


def _encoded(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: what is signed also says what kind of thing it is."""
    head = f"DSSEv1 {len(PAYLOAD_TYPE)} {PAYLOAD_TYPE} {len(payload)} "
    return head.encode() + payload


def _load_public(pem: str) -> "EllipticCurvePublicKey":
    _require_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if "PRIVATE KEY" in pem:
        raise InvalidPublicKey("this is a private key: give the public one, and keep this secret")
    try:
        return _checked(load_pem_public_key(pem[:MAX_PEM_CHARS].encode()))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidPublicKey("the key must be a public key in PEM form") from error


def _load_private(pem: bytes, password: bytes | None) -> "EllipticCurvePrivateKey":
    _require_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        private: Any = load_pem_private_key(pem[:MAX_PEM_CHARS], password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidPublicKey(
            "the key must be a private key in PEM form, with its password if it has one"
        ) from error
    _checked(private.public_key())
    key: EllipticCurvePrivateKey = private
    return key


def _checked(key: Any) -> "EllipticCurvePublicKey":
    if getattr(getattr(key, "curve", None), "name", "") not in _HASHES:
        raise InvalidPublicKey(f"the key must be elliptic, on one of {', '.join(_HASHES)}")
    checked: EllipticCurvePublicKey = key
    return checked


def _public(key: "EllipticCurvePublicKey") -> PublicKey:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return PublicKey(pem.decode(), hashlib.sha256(pem).hexdigest())


def _algorithm(key: "EllipticCurvePublicKey") -> Any:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA

    return ECDSA(getattr(hashes, _HASHES[key.curve.name])())


def _require_cryptography() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        raise SigningUnavailable(
            "signatures need the cryptography package: pip install -r requirements/signing.txt"
        ) from error
