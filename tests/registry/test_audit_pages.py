"""The audit log, cards, diffs and signatures as clients, commands and the admin show them."""

import io
import json

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse
from rest_framework.test import APIClient

from access.services import create_key
from registry import services
from registry.models import Event, RegisteredModel, TrustedKey, Version
from registry.services import audit, trust
from tests.access.people import make_person
from tests.registry.builders import build_model_dir
from tests.registry.test_signing import RECORDED, Keys

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.registry.urls")]
MODEL = "team/tiny"
TINY = "/api/v1/models/team/tiny"
HOSTILE = "---\nlicense: mit\n---\n# Card <script>alert(1)</script>\n![x](https://evil.example/x)"


def client(*scopes: str) -> APIClient:
    _, key = create_key("tests", list(scopes))
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
    return api


def code(response) -> str:
    return response.json()["error"]["code"]


def run(*args: object) -> str:
    out = io.StringIO()
    call_command(*map(str, args), stdout=out, stderr=io.StringIO())
    return out.getvalue()


def tamper() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE registry_event SET actor = 'mallory' WHERE kind = 'promoted'")


@pytest.fixture
def two(register, tmp_path) -> None:
    folder = build_model_dir(tmp_path / "m", files={"README.md": HOSTILE.encode()})
    services.register_directory(folder, MODEL, actor="alice")
    register(2)
    services.promote(MODEL, 1, actor="alice", reason="the first")


def test_the_api_says_who_answered(two):
    api = client("read")
    found = api.get(f"{TINY}/audit").json()
    assert (found["version"], found["since"]["kind"]) == (1, "promoted")
    assert (found["decision"]["actor"], found["decision"]["reason"]) == ("alice", "the first")
    assert found["digest"] == Version.objects.get(number=1).digest
    before = api.get(f"{TINY}/audit", {"at": "2020-01-01"}).json()
    assert (before["version"], before["since"], before["at"]) == (
        None,
        None,
        "2020-01-01T00:00:00Z",
    )
    for at in ("yesterday", "9999-99-99", "2026-01-01T00:00:00 00:00", "\0", "x" * 9_000):
        assert code(api.get(f"{TINY}/audit", {"at": at})) == "invalid_field"
    assert code(api.get("/api/v1/models/team/none/audit")) == "model_not_found"


def test_the_api_checks_the_chain_and_keeps_a_checkpoint_only_of_a_sound_one(two, home):
    api = client("admin")
    url = "/api/v1/audit/verify"
    assert code(client("promote").get(url)) == "scope_missing"
    found = api.get(url).json()
    assert (found["is_sound"], found["checkpoint"], found["faults"]) == (True, None, [])
    checkpoint = api.post(url).json()["checkpoint"]
    assert checkpoint["n_events"] == found["n_events"]
    tamper()
    found = api.post(url).json()
    assert (found["is_sound"], found["checkpoint"]) == (False, checkpoint)
    assert found["faults"][0]["kind"] == "changed"
    (home / audit.CHECKPOINT).write_text("{")
    assert code(api.get(url)) == "audit_broken"


def test_the_api_shows_cards_and_diffs(two, home, tmp_path):
    api = client("read")
    card = api.get(f"{TINY}/versions/1/card")
    assert card.json()["data"] == {"license": "mit"}
    assert "language is missing" in card.json()["lint"]["warnings"]
    assert "### Files" in card.json()["markdown"]
    diff = api.get(f"{TINY}/diff", {"from": 1, "to": 2})
    assert diff.json()["files"]["n_removed"] == 1
    assert diff.json()["has_same_weights"] is False
    for params in (
        {},
        {"from": 1},
        {"from": "x", "to": 2},
        {"from": 0, "to": 1},
        {"from": "1" * 30},
    ):
        assert code(api.get(f"{TINY}/diff", params)) == "invalid_field"
    assert code(api.get(f"{TINY}/diff", {"from": 1, "to": 9})) == "version_not_found"
    for answer in (card, diff):
        for secret in (str(home), str(tmp_path)):
            assert secret not in json.dumps(answer.json())


def test_keys_signatures_and_policies_go_over_the_api(two):
    admin, pusher, reader, keys = client("admin"), client("push"), client("read"), Keys()
    new = {"name": "alice", "pem": keys.public}
    assert code(pusher.post("/api/v1/trusted-keys", new, format="json")) == "scope_missing"
    made = admin.post("/api/v1/trusted-keys", new, format="json")
    assert (made.status_code, made.json()["fingerprint"]) == (201, keys.fingerprint)
    assert code(admin.post("/api/v1/trusted-keys", new, format="json")) == "trusted_key_exists"
    for pem in ("x", keys.private.decode()):
        wrong = admin.post("/api/v1/trusted-keys", new | {"name": "b", "pem": pem}, format="json")
        assert code(wrong) == "invalid_public_key"
    policy = {"requires_signature": True, "reason": "law"}
    refused = admin.put(f"{TINY}/policy", policy, format="json")
    assert code(refused) == "signature_required"
    keys.sign()
    assert admin.put(f"{TINY}/policy", policy, format="json").json() == {"requires_signature": True}
    assert reader.get(f"{TINY}/policy").json() == {"requires_signature": True}
    signatures = f"{TINY}/versions/1/signatures"
    (found,) = reader.get(signatures).json()
    assert (found["status"], found["key"]) == ("valid", "alice")
    bundle = reader.get(f"{signatures}/{keys.fingerprint}").json()
    assert code(reader.get(f"{signatures}/{'0' * 64}")) == "trusted_key_not_found"
    assert code(reader.get(f"{signatures}/%00")) == "trusted_key_not_found"
    assert code(reader.post(signatures, bundle, format="json")) == "scope_missing"
    assert pusher.post(signatures, bundle, format="json").status_code == 201
    other = f"{TINY}/versions/2/signatures"
    assert code(pusher.post(other, bundle, format="json")) == "invalid_signature"
    for body in ({}, {"bundle": "x"}, {"bundle": {}}, {"bundle": {"mediaType": 1}}):
        answer = pusher.post(signatures, body, format="json")
        assert code(answer) in {"invalid_signature", "invalid_request"}, body
    gone = admin.delete("/api/v1/trusted-keys/alice")
    assert gone.json() == {"unsigned": ["team/tiny version 1"]}
    assert code(admin.delete("/api/v1/trusted-keys/alice")) == "trusted_key_not_found"
    assert admin.get("/api/v1/trusted-keys").json() == []


def test_the_audit_command_answers_and_checks(two, tmp_path):
    said = run("audit", MODEL)
    assert "team/tiny version 1 answered" in said
    assert "promoted by alice" in said
    assert "why      the first" in said
    assert "no version" in run("audit", MODEL, "--at", "2020-01-01")
    assert "as they were written" in run("audit", "--verify")
    kept = tmp_path / "kept.json"
    kept.write_text(run("audit", "--checkpoint"))
    assert "as they were written" in run("audit", "--verify", "--against", kept)
    for args in ((), (MODEL, "--verify"), (MODEL, "--at", "x"), ("team/none",)):
        with pytest.raises(CommandError):
            run("audit", *args)
    tamper()
    with pytest.raises(CommandError, match="faults in") as caught:
        run("audit", "--verify")
    assert caught.value.returncode == 1
    with pytest.raises(CommandError):
        run("audit", "--checkpoint")


def test_the_signing_commands_tell_what_they_did(two, tmp_path):
    keys = Keys(password="pass word")
    private, public, password = (tmp_path / name for name in ("private", "public", "password"))
    private.write_bytes(keys.private)
    public.write_text(keys.public)
    password.write_text("pass word\n")
    sign = ("sign", MODEL, 1, "--key", private)
    with pytest.raises(CommandError, match="password"):
        run(*sign)
    assert "is signed by" in run(*sign, "--password-file", password)
    assert "for every model" in run("trust", "add", "alice", public)
    assert run("trust", "list").split()[:2] == [keys.fingerprint, "alice"]
    assert "not required" in run("policy", MODEL)
    assert "are required" in run("policy", MODEL, "--require-signature", "yes")
    bundle = tmp_path / "bundle"
    bundle.write_text(json.dumps(json.loads(RECORDED.read_text())["bundle"]))
    for args in (("--bundle", bundle), ("--key", tmp_path / "none"), ("--key", public)):
        with pytest.raises(CommandError):
            run("sign", MODEL, 2, *args)
    assert "no longer trusted" in run("trust", "remove", "alice")
    assert not any(
        b"PRIVATE" in str(value).encode()
        for row in Event.objects.values()
        for value in row.values()
    )


def page(pk: int) -> str:
    return reverse("admin:registry_version_change", args=[pk])


def test_a_card_is_shown_without_its_html_or_pictures(two, admin_client):
    text = admin_client.get(page(Version.objects.get(number=1).pk)).content.decode()
    assert "<h1>Card &lt;script&gt;alert(1)&lt;/script&gt;</h1>" in text
    assert "<script>alert(1)" not in text
    assert 'src="https://evil.example' not in text
    assert "<th>sha256</th>" in text
    assert "warning: language is missing" in text


def test_a_version_whose_files_are_gone_still_has_a_page(two, admin_client, store):
    version = Version.objects.get(number=1)
    for blob in version.blobs.all():
        store.blob(blob.sha256).unlink()
    answer = admin_client.get(page(version.pk))
    assert answer.status_code == 200
    assert "not what they were" in answer.content.decode()


def act(api, table: str, action: str, *ids: object):
    url = reverse(f"admin:registry_{table}_changelist")
    return api.post(url, {"action": action, "_selected_action": list(ids)}, follow=True)


def messages(answer) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


def test_two_versions_are_compared_in_the_admin(two, register, admin_client):
    one, other = Version.objects.order_by("number")
    answer = act(admin_client, "version", "compare", one.pk, other.pk)
    text = answer.content.decode()
    assert answer.status_code == 200
    assert "README.md" in text
    assert "The same." in text
    assert "Select two versions" in messages(act(admin_client, "version", "compare", one.pk))
    register(3, name="team/other")
    third = Version.objects.get(model__name="other")
    assert "Select two" in messages(act(admin_client, "version", "compare", one.pk, third.pk))
    url = reverse("admin:registry_version_diff", args=[one.pk, third.pk])
    assert admin_client.get(url).status_code == 404


def test_who_may_not_look_at_versions_sees_no_diff(two, client):
    user = User.objects.create_user("bob", password="b", is_staff=True)
    client.force_login(user)
    one, other = Version.objects.order_by("number")
    url = reverse("admin:registry_version_diff", args=[one.pk, other.pk])
    assert client.get(url).status_code == 403
    client.force_login(make_person("viewer"))
    assert client.get(url).status_code == 200


def test_the_admin_checks_the_chain(two, admin_client):
    listing = admin_client.get(reverse("admin:registry_event_changelist")).content.decode()
    assert "Verify the chain" in listing
    assert Event.objects.first().hash[:12] in listing
    url = reverse("admin:registry_event_verify_chain")
    assert "as they were written" in messages(admin_client.get(url, follow=True))
    tamper()
    assert "changed" in messages(admin_client.get(url, follow=True))


def test_keys_are_trusted_and_policies_set_in_the_admin(two, admin_client):
    keys = Keys()
    add = reverse("admin:registry_trustedkey_add")
    wrong = admin_client.post(add, {"name": "x", "pem": keys.private.decode(), "model": ""})
    assert "this is a private key" in wrong.content.decode()
    admin_client.post(add, {"name": "alice", "pem": keys.public, "model": ""}, follow=True)
    key = TrustedKey.objects.get()
    assert (key.name, key.added_by) == ("alice", "admin (admin)")
    assert Event.objects.first().kind == "key_trusted"
    again = admin_client.post(add, {"name": "bob", "pem": keys.public, "model": ""})
    assert "trusted already" in again.content.decode()
    assert (
        admin_client.get(reverse("admin:registry_trustedkey_change", args=[key.pk])).status_code
        == 200
    )
    model = RegisteredModel.objects.get().pk
    assert "sign it first" in messages(
        act(admin_client, "registeredmodel", "require_signature", model)
    )
    keys.sign()
    shown = admin_client.get(reverse("admin:registry_signature_changelist")).content.decode()
    assert "valid" in shown
    done = messages(act(admin_client, "registeredmodel", "require_signature", model))
    assert "signatures are required" in done
    done = messages(act(admin_client, "trustedkey", "distrust", key.pk))
    assert "unsigned now, and routed: team/tiny version 1" in done
    done = messages(act(admin_client, "registeredmodel", "allow_unsigned", model))
    assert "not required" in done
    assert audit.verify_chain().is_sound
    assert trust.load_trusted_keys() == ()
