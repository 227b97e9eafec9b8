"""The dashboard for Grafana: as built, over metrics and labels that exist, in legal PromQL."""

import importlib.util
import json
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from inference import metrics as engine_metrics
from monitoring import metrics as monitor_metrics
from tests.alertmanager.tools import need

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "grafana"
SELECTOR = re.compile(r"(bellwether_[a-z0-9_]+)(?:\{([^}]*)\})?")
GROUPED = re.compile(r"by \(([^)]*)\)")
MADE_BY_PROMETHEUS = {"instance", "job", "le"}


@cache
def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("grafana_build", FOLDER / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def board() -> dict[str, Any]:
    return json.loads((FOLDER / "bellwether.json").read_text())


def queries() -> Iterator[tuple[str, str]]:
    """The title and expression of each query, with the variables filled in."""
    for panel in board()["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], re.sub(r"\$(model|instance)", ".*", target["expr"])


@cache
def labels_of_metrics() -> dict[str, set[str]]:
    known: dict[str, set[str]] = {}
    for metric in vars(engine_metrics).values():
        if isinstance(metric, MetricWrapperBase):
            for name in names_of(metric):
                known[name] = set(metric._labelnames)
    for family in monitor_metrics.FAMILIES:
        known[family.name] = set(family.labels)
    return known


def names_of(metric: MetricWrapperBase) -> list[str]:
    if metric._type == "counter":
        return [f"{metric._name}_total"]
    if metric._type == "histogram":
        return [f"{metric._name}_{part}" for part in ("bucket", "sum", "count")]
    return [metric._name]


def test_the_file_is_what_the_script_builds() -> None:
    assert (FOLDER / "bellwether.json").read_text() == builder().to_json()


def test_every_metric_exists() -> None:
    used = {name for _, expression in queries() for name, _ in SELECTOR.findall(expression)}
    assert len(used) > 15
    assert used <= set(labels_of_metrics())


def test_every_label_belongs_to_a_metric_beside_it() -> None:
    for title, expression in queries():
        found = SELECTOR.findall(expression)
        held = set[str]().union(*(labels_of_metrics()[name] for name, _ in found))
        for name, selector in found:
            asked = set(re.findall(r"([a-z_]+)\s*(?:=~|!=|=)", selector))
            assert asked <= labels_of_metrics()[name] | MADE_BY_PROMETHEUS, (title, name)
        grouped = {
            label.strip() for part in GROUPED.findall(expression) for label in part.split(",")
        }
        assert grouped <= held | MADE_BY_PROMETHEUS, title


def test_legends_name_labels_that_their_query_keeps() -> None:
    for panel in board()["panels"]:
        for target in panel.get("targets", []):
            shown = set(re.findall(r"\{\{([a-z_]+)\}\}", target["legendFormat"]))
            parts = GROUPED.findall(target["expr"])
            if parts:
                kept = {label.strip() for label in parts[0].split(",")}
                assert shown <= kept, panel["title"]


def test_panels_do_not_overlap_and_have_a_title_and_a_purpose() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert all(x < 24 for x, _ in cells)
        taken |= cells
        assert panel["title"]
        assert panel["type"] == "row" or panel["description"]


def test_prometheus_reads_every_expression(tmp_path: Path) -> None:
    need("promtool")
    rules = [
        {"record": f"check:{number}", "expr": expression}
        for number, (_, expression) in enumerate(queries())
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "check", "rules": rules}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", str(file)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout


@pytest.mark.parametrize("name", ["model", "instance"])
def test_a_variable_asks_for_a_label_of_its_metric(name: str) -> None:
    asked = next(each for each in board()["templating"]["list"] if each["name"] == name)
    metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", asked["query"]).groups()  # type: ignore[union-attr]
    assert label in labels_of_metrics()[metric] | MADE_BY_PROMETHEUS
