import base64
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from registry import services, signatures
from registry.errors import (
    InvalidPublicKey,
    InvalidSignature,
    SignatureRequired,
    TrustedKeyExists,
    TrustedKeyNotFound,
)
from registry.models import Event, Signature, TrustedKey, Version
from registry.services import audit, signing, swaps, trust
from registry.services.signing import SignatureStatus

pytestmark = pytest.mark.django_db
MODEL = "team/tiny"
RECORDED = Path(__file__).parent / "data" / "model_signing.json"


class Keys:
    """A fresh key pair in PEM form."""

    def __init__(self, curve: type[ec.EllipticCurve] = ec.SECP256R1, password: str = "") -> None:
        key = ec.generate_private_key(curve())
        self.private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(password.encode())
            if password
            else serialization.NoEncryption(),
        )
        self.public = (
            key.public_key()
            .public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            .decode()
        )
        self.fingerprint = hashlib.sha256(self.public.encode()).hexdigest()

    def sign(self, number: int = 1, model: str = MODEL) -> signing.SignatureSpec:
        return signing.sign_version(model, number, key=self.private, actor="alice")

    def trust(self, name: str = "alice", model: str | None = None) -> None:
        trust.trust_key(name, self.public, model=model, actor="alice")


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def policed(register) -> None:
    """Two versions of a model that asks for signatures, none routed."""
    for seed in (1, 2):
        register(seed)
    trust.set_policy(MODEL, requires_signature=True, actor="alice", reason="audit")


def status(number: int = 1) -> SignatureStatus:
    (found,) = signing.load_signatures(MODEL, number)
    return found.status


def refused(number: int = 1) -> str:
    with pytest.raises(SignatureRequired) as caught:
        signing.check_policy(MODEL, number)
    return caught.value.message


def replace_bundle(number: int, bundle: str) -> None:
    Signature.objects.filter(version__number=number).update(bundle=bundle)


def bundle_of(number: int = 1) -> dict:
    return json.loads(Signature.objects.get(version__number=number).bundle)


def test_a_model_without_a_policy_asks_for_nothing(register):
    register(1)
    signing.check_policy(MODEL, 1)


def test_a_version_signed_by_a_trusted_key_may_serve(policed, keys):
    assert "has none" in refused()
    keys.trust()
    found = keys.sign()
    assert (found.status, found.key, found.problem) == (SignatureStatus.VALID, "alice", "")
    signing.check_policy(MODEL, 1)
    assert "has none" in refused(2)


@pytest.mark.parametrize("curve", [ec.SECP256R1, ec.SECP384R1, ec.SECP521R1])
def test_every_curve_of_the_format_works(policed, curve):
    keys = Keys(curve)
    keys.trust()
    keys.sign()
    signing.check_policy(MODEL, 1)


def test_a_key_with_a_password_needs_it(policed):
    keys = Keys(password="secret words")
    for password in (None, b"wrong"):
        with pytest.raises(InvalidPublicKey, match="password"):
            signing.sign_version(MODEL, 1, key=keys.private, password=password, actor="alice")
    found = signing.sign_version(
        MODEL, 1, key=keys.private, password=b"secret words", actor="alice"
    )
    assert found.fingerprint == keys.fingerprint


def test_an_untrusted_key_does_not_count_until_it_is_trusted(policed, keys):
    assert keys.sign().status is SignatureStatus.UNTRUSTED
    assert "its key is not trusted" in refused()
    Keys().trust("bob")
    assert "its key is not trusted" in refused()
    keys.trust()
    signing.check_policy(MODEL, 1)


def test_a_key_trusted_for_another_model_does_not_count(policed, register, keys):
    register(3, name="team/other")
    keys.trust(model="team/other")
    keys.sign()
    assert "for another model" in refused()
    keys.sign(model="team/other")
    trust.set_policy("team/other", requires_signature=True, actor="alice")
    signing.check_policy("team/other", 1)


def test_removing_trust_ends_it_at_once_and_says_what_is_left_unsigned(policed, keys):
    keys.trust()
    keys.sign()
    services.promote(MODEL, 1, actor="alice")
    assert trust.distrust_key("alice", actor="bob", reason="stolen") == ("team/tiny version 1",)
    assert "its key is not trusted" in refused()
    event = Event.objects.order_by("-id").first()
    assert (event.kind, event.reason) == ("key_distrusted", "stolen")
    assert event.details["unsigned"] == ["team/tiny version 1"]
    with pytest.raises(TrustedKeyNotFound):
        trust.distrust_key("alice", actor="bob")


def test_the_bundle_of_another_version_does_not_count(policed, keys):
    keys.trust()
    for number in (1, 2):
        keys.sign(number)
    replace_bundle(1, json.dumps(bundle_of(2)))
    assert "other bytes of model.safetensors" in refused(1)
    signing.check_policy(MODEL, 2)
    Signature.objects.all().delete()
    other = signatures.sign({"a": "0" * 64}, subject="x", key=keys.private, password=None)
    with pytest.raises(InvalidSignature, match=r"does not cover config\.json and 3 more"):
        signing.attach(MODEL, 1, other, actor="alice")


def test_a_bundle_must_cover_all_files_and_no_others(policed, keys):
    keys.trust()
    files = signing._files(Version.objects.get(number=1))
    for change in ({"extra.txt": "0" * 64}, {"config.json": "0" * 64}):
        bundle = signatures.sign(files | change, subject="x", key=keys.private, password=None)
        with pytest.raises(InvalidSignature):
            signing.attach(MODEL, 1, bundle, actor="alice")
    files.pop("config.json")
    bundle = signatures.sign(files, subject="x", key=keys.private, password=None)
    with pytest.raises(InvalidSignature, match=r"does not cover config\.json$"):
        signing.attach(MODEL, 1, bundle, actor="alice")


def test_any_changed_part_of_a_bundle_is_found(policed, keys):
    keys.trust()
    keys.sign()
    good = bundle_of()
    envelope = good["dsseEnvelope"]
    payload = json.loads(base64.b64decode(envelope["payload"]))
    changed = [
        {"payload": encode(payload | {"subject": []})},
        {"payload": encode(payload | {"extra": 1})},
        {"payload": envelope["payload"][:-8]},
        {"payload": "@@@"},
        {"payloadType": "text/plain"},
        {"signatures": []},
        {"signatures": envelope["signatures"] * 2},
        {"signatures": [{"sig": base64.b64encode(b"x" * 70).decode()}]},
        {"signatures": [{"sig": flipped(envelope["signatures"][0]["sig"])}]},
    ]
    for change in changed:
        replace_bundle(1, json.dumps(good | {"dsseEnvelope": envelope | change}))
        assert status() is SignatureStatus.INVALID, change
        refused()
    for text in ("", "[]", "null", "{", "[" * 50_000, "x" * (signatures.MAX_BUNDLE_CHARS + 1)):
        replace_bundle(1, text)
        assert status() is SignatureStatus.INVALID
    replace_bundle(1, json.dumps(good))
    assert status() is SignatureStatus.VALID


def test_another_key_cannot_pass_for_the_trusted_one(policed, keys):
    keys.trust()
    forged = json.loads(
        signatures.sign(
            signing._files(Version.objects.get(number=1)),
            subject="x",
            key=Keys().private,
            password=None,
        )
    )
    forged["verificationMaterial"]["publicKey"]["hint"] = keys.fingerprint
    with pytest.raises(InvalidSignature, match="no trusted key"):
        signing.attach(MODEL, 1, json.dumps(forged), actor="mallory")
    keys.sign()
    replace_bundle(1, json.dumps(forged))
    assert "not made by the key" in refused()
    TrustedKey.objects.update(pem=Keys().public)
    assert "not the one that it names" in refused()


def test_a_broken_signature_can_be_made_again_and_a_good_one_is_kept(policed, keys):
    keys.trust()
    keys.sign()
    first = bundle_of()
    keys.sign()
    assert bundle_of() == first
    replace_bundle(1, "{}")
    keys.sign()
    assert status() is SignatureStatus.VALID
    assert Event.objects.filter(kind="signed").count() == 2


def test_a_policy_is_refused_while_a_routed_version_is_unsigned(register, keys):
    register(1)
    services.promote(MODEL, 1, actor="alice")
    with pytest.raises(SignatureRequired, match="sign it first"):
        trust.set_policy(MODEL, requires_signature=True, actor="alice")
    keys.trust()
    keys.sign()
    assert trust.set_policy(MODEL, requires_signature=True, actor="alice")
    assert not trust.set_policy(MODEL, requires_signature=True, actor="alice")
    assert Event.objects.filter(kind="policy_set").count() == 1


def test_an_unsigned_version_is_neither_promoted_nor_loaded_nor_rolled_back_to(register, keys):
    for seed in (1, 2, 3):
        register(seed)
    keys.trust()
    for number in (1, 3):
        keys.sign(number)
    for number in (1, 2, 3):
        services.promote(MODEL, number, actor="alice")
    trust.set_policy(MODEL, requires_signature=True, actor="alice")
    for forbidden in (
        lambda: services.promote(MODEL, 2, actor="alice"),
        lambda: swaps.check_stageable(MODEL, 2),
    ):
        with pytest.raises(SignatureRequired):
            forbidden()
    assert services.rollback(MODEL, actor="alice").number == 1
    swaps.check_stageable(MODEL, 1)
    trust.distrust_key("alice", actor="alice")
    with pytest.raises(SignatureRequired):
        swaps.check_stageable(MODEL, 1)


def test_only_one_key_of_a_name_and_no_private_or_other_key_is_trusted(db, keys):
    keys.trust()
    for name, pem in (("alice", Keys().public), ("bob", keys.public)):
        with pytest.raises(TrustedKeyExists):
            trust.trust_key(name, pem, actor="alice")
    rsa_like = ed25519.Ed25519PrivateKey.generate().public_key()
    other = rsa_like.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()
    for pem in (Keys().private.decode(), other, "", "nonsense", Keys(ec.SECP256K1).public):
        with pytest.raises(InvalidPublicKey) as caught:
            trust.trust_key("carol", pem, actor="alice")
        assert "MII" not in caught.value.message


def test_what_is_done_with_keys_stands_in_the_log(policed, keys):
    keys.trust()
    keys.sign()
    kinds = list(Event.objects.order_by("-id").values_list("kind", flat=True)[:3])
    assert kinds == ["signed", "key_trusted", "policy_set"]
    assert audit.verify_chain().is_sound


def test_without_the_package_nothing_that_must_be_signed_serves(policed, keys, monkeypatch):
    keys.trust()
    keys.sign()
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert "cannot be checked" in refused()
    services.create_model("team/free", actor="alice")


def test_a_bundle_of_the_reference_tool_is_accepted():
    recorded = json.loads(RECORDED.read_text())
    bundle = signatures.parse_bundle(json.dumps(recorded["bundle"]))
    key = signatures.parse_public_key(recorded["public_key"])
    assert bundle.hint == key.fingerprint
    assert bundle.files == {
        path: hashlib.sha256(text.encode()).hexdigest() for path, text in recorded["files"].items()
    }
    assert signatures.is_signed_by(bundle, key.pem)
    assert not signatures.is_signed_by(bundle, Keys().public)


@pytest.mark.slow
def test_the_reference_tool_and_we_accept_each_others_signatures(register, tool, keys, tmp_path):
    spec = register(1)
    keys.trust()
    (tmp_path / "private.pem").write_bytes(keys.private)
    (tmp_path / "public.pem").write_text(keys.public)
    keys.sign()
    ours, theirs = tmp_path / "ours.sig", tmp_path / "theirs.sig"
    ours.write_text(signing.load_bundle(MODEL, 1, keys.fingerprint))
    tool("verify", "key", spec.view, "--signature", ours, "--public_key", tmp_path / "public.pem")
    tool("sign", "key", spec.view, "--signature", theirs, "--private_key", tmp_path / "private.pem")
    Signature.objects.all().delete()
    assert signing.attach(MODEL, 1, theirs.read_text(), actor="ci").status == "valid"
    broken = json.loads(ours.read_text())
    broken["dsseEnvelope"]["payload"] = encode({"a": 1})
    ours.write_text(json.dumps(broken))
    with pytest.raises(subprocess.CalledProcessError):
        tool(
            "verify", "key", spec.view, "--signature", ours, "--public_key", tmp_path / "public.pem"
        )


@pytest.fixture(scope="session")
def tool(tmp_path_factory):
    """The model-signing command, run by BELLWETHER_MODEL_SIGNING or a fresh environment."""
    python = os.environ.get("BELLWETHER_MODEL_SIGNING")
    if not python and not os.environ.get("BELLWETHER_NO_SKIPS"):
        pytest.skip("BELLWETHER_MODEL_SIGNING names no Python with model-signing")
    if not python:
        folder = tmp_path_factory.mktemp("model-signing")
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = str(folder / "bin" / "python")
        install = [python, "-m", "pip", "install", "-q", "model-signing==1.1.1", "pyOpenSSL"]
        subprocess.run(install, check=True, timeout=150)

    def run(*args: object) -> None:
        command = [python, "-m", "model_signing", *map(str, args)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    return run


def encode(payload: object) -> str:
    return base64.b64encode(json.dumps(payload).encode()).decode()


def flipped(text: str) -> str:
    raw = bytearray(base64.b64decode(text))
    raw[-1] ^= 1
    return base64.b64encode(raw).decode()
