"""What a run is made of: its texts, its homes, its options and the order of its cells."""

import json
import sqlite3
from pathlib import Path

import pytest

from benchmarks import bellwether, machine, planes, serve_load
from benchmarks.bellwether import Server
from benchmarks.interference import admin_plan, predict_plan
from benchmarks.serve_load import BLOG, SERVER
from benchmarks.texts import load_sst2
from starter.corpus import DATA_VARIABLE

A_SERVER = Server(1, 8000, Path("/nowhere"), "key", "admin", "password")


def test_texts_come_in_the_seeds_order(data: Path) -> None:
    assert load_sst2(1) == load_sst2(1) != load_sst2(2)
    assert {example.text for example in load_sst2(1)} == {f"text {n} is long" for n in range(30)}


@pytest.mark.parametrize("folder", ["", "/nowhere"])
def test_missing_texts_are_told_with_the_remedy(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA_VARIABLE, folder)
    with pytest.raises(SystemExit, match=DATA_VARIABLE):
        load_sst2(1)


def test_a_run_takes_no_settings_from_outside_but_the_engines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://elsewhere/db")
    monkeypatch.setenv("BELLWETHER_AUTH", "off")
    monkeypatch.setenv("BELLWETHER_DTYPE", "bfloat16")
    environ = bellwether.environment(Path("/home-of-this-run"))
    assert "DATABASE_URL" not in environ
    assert "BELLWETHER_AUTH" not in environ
    assert environ["BELLWETHER_DTYPE"] == "bfloat16"
    assert environ["BELLWETHER_HOME"] == "/home-of-this-run"


def test_rows_are_counted_once_they_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bellwether, "KEEP_S", 0.2)
    database = sqlite3.connect(tmp_path / "bellwether.sqlite3")
    with database:
        database.execute("CREATE TABLE monitoring_prediction (id)")
        database.executemany("INSERT INTO monitoring_prediction VALUES (?)", [(1,), (2,)])
    database.close()
    assert bellwether.wait_for_rows(tmp_path, 2) == 2
    assert bellwether.wait_for_rows(tmp_path, 3) == 2


def test_sides_take_turns_with_the_same_texts() -> None:
    cells = list(serve_load.plans(A_SERVER, 9000, ['a "b"', "c"], ["NEGATIVE", "POSITIVE"], 1))
    assert [(side, plan.clients) for side, plan in cells] == [
        (side, clients) for clients in (1, 8, 32) for side in (SERVER, BLOG)
    ]
    for side, plan in cells:
        field = "inputs" if side == SERVER else "text"
        assert [json.loads(body)[field] for body in plan.bodies] == ['a "b"', "c"]
        assert plan.expect == ['"label":"NEGATIVE"', '"label":"POSITIVE"']


def test_plans_for_each_plane_carry_their_own_credentials() -> None:
    assert "Authorization" in predict_plan(A_SERVER, ["a"], 8, 1).headers
    admin = admin_plan(A_SERVER, "sessionid=1", 1)
    assert (admin.method, admin.headers) == ("GET", {"Cookie": "sessionid=1"})


@pytest.mark.parametrize("parse", [serve_load.parse, planes.parse])
@pytest.mark.parametrize("wrong", [["--model", "/nowhere"], ["--seconds", "0"], ["--rounds", "0"]])
def test_options_that_cannot_be_are_refused(
    parse: object, wrong: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert callable(parse)
    with pytest.raises(SystemExit):
        parse(["--model", str(tmp_path), *wrong])
    assert wrong[0] in capsys.readouterr().err


def test_the_machine_and_the_bias_are_told() -> None:
    lines = "\n".join(machine.describe(machine.load_machine()))
    for part in ("cores", "torch 2", "closed loop", "load before the run"):
        assert part in lines
