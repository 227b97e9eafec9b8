import re
import subprocess

from monitoring.metrics import FAMILIES
from tests.alertmanager.tools import RULES, need

SERVICE = {
    "bellwether_predictions_dropped_total",
    "bellwether_recorder_lag_seconds",
}


def promtool(*arguments: str) -> str:
    need("promtool")
    done = subprocess.run(
        ["promtool", *arguments], cwd=RULES, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_accepts_the_rules() -> None:
    assert "SUCCESS" in promtool("check", "rules", "--lint-fatal", "rules.yml")


def test_promtool_accepts_the_scrape_config() -> None:
    assert "SUCCESS" in promtool("check", "config", "--syntax-only", "scrape.yml")


def test_the_rules_fire_when_they_should_and_only_then() -> None:
    assert "SUCCESS" in promtool("test", "rules", "rules_test.yml")


def test_the_rules_use_gauges_that_exist() -> None:
    named = set(re.findall(r"bellwether_[a-z0-9_]+", (RULES / "rules.yml").read_text()))
    assert named <= SERVICE | {family.name for family in FAMILIES}
