import io
import json

import pytest
from django.core.management import CommandError, call_command

from registry import queries
from registry.models import Version
from tests.registry.builders import build_model_dir

pytestmark = pytest.mark.django_db
MODEL = "team/tiny"


def run(*args: object, **options: object) -> str:
    out = io.StringIO()
    call_command(*map(str, args), stdout=out, stderr=io.StringIO(), **options)
    return out.getvalue()


def test_register_makes_a_version_and_says_which(model_dir):
    assert "registered team/tiny version 1" in run("register", model_dir, MODEL)
    assert queries.load_live_version(MODEL) is None
    assert "nothing new: these files are team/tiny version 1" in run("register", model_dir, MODEL)


def test_register_can_promote(model_dir):
    said = run("register", model_dir, MODEL, "--promote", "--pooling", "cls", "--note", "hello")
    assert "team/tiny version 1 is live" in said
    assert queries.load_live_version(MODEL).pooling == "cls"
    assert Version.objects.get().note == "hello"


@pytest.mark.parametrize(
    "args",
    [
        ("register", "/nowhere/at/all", MODEL),
        ("register", "{model}", "tiny"),
        ("promote", MODEL, 1),
        ("rollback", MODEL),
        ("versions", MODEL),
        ("verify", MODEL),
        ("verify",),
        ("verify", MODEL, "--all"),
    ],
)
def test_a_failure_is_one_sentence(model_dir, args):
    with pytest.raises(CommandError) as caught:
        run(*(str(arg).format(model=model_dir) for arg in args))
    assert caught.value.returncode == 1
    assert "\n" not in str(caught.value)


def test_promote_and_rollback_move_the_live_version(tmp_path):
    for seed in (1, 2):
        run("register", build_model_dir(tmp_path / str(seed), seed=seed), MODEL)
        assert f"version {seed} is live" in run("promote", MODEL, seed, "--reason", "why")
    assert "version 1 is live" in run("rollback", MODEL)
    assert queries.load_live_version(MODEL).number == 1


def test_versions_are_listed_as_a_table_or_as_json(tmp_path):
    for seed in (1, 2):
        run("register", build_model_dir(tmp_path / str(seed), seed=seed), MODEL)
    run("promote", MODEL, 1)
    head, second, first = run("versions", MODEL).splitlines()
    assert head.split()[:3] == ["version", "live", "state"]
    assert second.split()[:2] == ["2", "sealed"]
    assert first.split()[:3] == ["1", "live", "sealed"]
    rows = json.loads(run("versions", MODEL, "--json"))
    assert [(row["version"], row["live"]) for row in rows] == [(2, False), (1, True)]


def test_verify_tells_sound_from_damaged_and_exits_1(tmp_path, store):
    for seed in (1, 2):
        run("register", build_model_dir(tmp_path / str(seed), seed=seed), MODEL)
    assert run("verify", MODEL).count("sound") == 2
    view = queries.load_version(MODEL, 2).view
    view.chmod(0o755)
    (view / "extra.txt").touch()
    assert "sound" in run("verify", MODEL, 1)
    for args in ((MODEL,), (MODEL, 2), ("--all",)):
        with pytest.raises(CommandError, match="1 damaged") as caught:
            run("verify", *args)
        assert caught.value.returncode == 1
