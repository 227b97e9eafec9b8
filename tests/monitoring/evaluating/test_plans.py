"""What a monitor may be like."""

from typing import Any

import pytest

from monitoring.errors import InvalidMonitor
from monitoring.evaluating.defaults import DEFAULTS
from monitoring.evaluating.options import ABOUT, KINDS, parse_options, show_options
from monitoring.evaluating.plans import FIELDS, parse_plan, show_plan
from monitoring.models import Monitor, MonitorKind
from monitoring.quality.classic import BALANCED, FALSE_ALARMS, RARE

DETECTORS = ("mean_embedding", "shape")
SOUND: dict[str, Any] = {"name": "mine", "kind": "drift"}


def test_what_is_left_out_has_its_default() -> None:
    plan = parse_plan(SOUND)
    assert (plan.window_by, plan.window, plan.every_s, plan.fires_after) == ("time", 86_400, 300, 2)
    assert plan.is_enabled


def test_a_plan_survives_being_shown_and_parsed() -> None:
    plan = parse_plan(
        SOUND | {"detectors": ["shape"], "options": {"min_items": 100}, "every_n": 50},
        detectors=DETECTORS,
    )
    assert parse_plan(show_plan(plan), detectors=DETECTORS) == plan


def test_a_change_leaves_the_rest_as_it_was() -> None:
    plan = parse_plan(SOUND | {"every_s": 900})
    changed = parse_plan({"window": 7200}, base=plan)
    assert (changed.every_s, changed.window) == (900, 7200)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "A\x00"}, "name"),
        ({"kind": "mood"}, "kind"),
        ({"kind": None}, "kind"),
        ({"surprise": 1}, "surprise"),
        ({"window": 10}, "window"),
        ({"window": True}, "window"),
        ({"window": 600.5}, "window"),
        ({"window_by": "count", "window": 20_000}, "window"),
        ({"window_by": "moon"}, "window_by"),
        ({"kind": "traffic", "window_by": "count", "window": 100}, "window_by"),
        ({"kind": "traffic", "window": 7 * 86_400}, "window"),
        ({"kind": "feedback", "window": 300}, "window"),
        ({"every_s": 0}, "every_s"),
        ({"every_n": -1}, "every_n"),
        ({"fires_after": 0}, "fires_after"),
        ({"cooldown_s": "soon"}, "cooldown_s"),
        ({"version": 0}, "version"),
        ({"is_enabled": "yes"}, "is_enabled"),
        ({"detectors": ["guess"]}, "detectors"),
        ({"detectors": "shape"}, "detectors"),
        ({"kind": "quality", "detectors": ["shape"]}, "detectors"),
        ({"options": {"floor": 2}}, "options.floor"),
        ({"options": {"floor": float("nan")}}, "options.floor"),
        ({"options": {"min_items": 100.5}}, "options.min_items"),
        ({"options": {"min_items": True}}, "options.min_items"),
        ({"options": {"speed": 1}}, "options.speed"),
        ({"options": [1]}, "options"),
    ],
)
def test_what_cannot_be_is_refused_with_the_field(given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidMonitor) as refused:
        parse_plan(SOUND | given, detectors=DETECTORS)
    assert refused.value.details["field"] == field


def test_the_kind_of_a_monitor_cannot_be_changed() -> None:
    with pytest.raises(InvalidMonitor, match="cannot be changed"):
        parse_plan({"kind": "quality"}, base=parse_plan(SOUND))


def test_every_kind_has_options_with_sound_defaults() -> None:
    assert set(KINDS) == set(MonitorKind.values)
    for kind in KINDS:
        options = parse_options(kind, {})
        assert parse_options(kind, show_options(options)) == options


def test_every_kind_says_what_it_asks_and_the_classic_rule_how_often_it_is_wrong() -> None:
    assert set(ABOUT) == set(KINDS)
    for stream, share in ((BALANCED, "15 %"), (RARE, "38 %")):
        assert share in ABOUT["classic"]
        assert f"{FALSE_ALARMS[stream][100]:.0%}".replace("%", " %") == share


def test_every_default_is_a_sound_plan() -> None:
    assert len({plan.name for plan in DEFAULTS}) == len(DEFAULTS)
    assert {plan.kind for plan in DEFAULTS} == set(MonitorKind.values)
    for plan in DEFAULTS:
        assert parse_plan(show_plan(plan)) == plan


def test_only_the_classic_rule_is_off_by_default() -> None:
    assert [plan.kind for plan in DEFAULTS if not plan.is_enabled] == ["classic"]


def test_a_plan_has_a_column_for_each_field() -> None:
    columns = {field.name for field in Monitor._meta.concrete_fields}
    assert set(FIELDS) <= columns
