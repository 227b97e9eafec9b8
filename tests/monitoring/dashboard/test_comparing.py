"""Two versions side by side: what the labels say with their test, and what is in the files."""

import json
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from monitoring.dashboard.comparing import Line, load_sides
from monitoring.models import Clock, ConfusionCell, PredictionCount
from monitoring.quality.comparing import Difference
from monitoring.windows import Grain, floor
from registry import queries, services
from registry.models import Golden, Version
from tests.access.people import make_person
from tests.registry.builders import build_config, build_model_dir

pytestmark = pytest.mark.django_db
MODEL = "team/tiny"
CARD = b"---\nlicense: mit\n---\n\n# The second\n\n<script>alert(1)</script>\n"
MAX_QUERIES = 60


@pytest.fixture(autouse=True)
def two(tmp_path, settings) -> None:
    settings.BELLWETHER_HOME = tmp_path / "home"
    queries._labels.cache_clear()
    services.register_directory(build_model_dir(tmp_path / "one"), MODEL, actor="alice")
    other = build_model_dir(
        tmp_path / "two",
        seed=2,
        config=build_config(hidden_dropout_prob=0.5),
        files={"README.md": CARD},
    )
    services.register_directory(other, MODEL, actor="alice")
    services.promote(MODEL, 1, actor="alice")


@pytest.fixture
def viewer(client):
    client.force_login(make_person("viewer"))
    return client


def address() -> str:
    return reverse("dashboard:compare", args=["team", "tiny"])


def count(version: int, right: int, wrong: int) -> None:
    """So many labelled predictions of each class, in the last whole minute."""
    for grain in Grain:
        bucket = floor(timezone.now() - timedelta(minutes=2), grain)
        common = {"model": MODEL, "grain": grain, "bucket": bucket, "version": version}
        for label, other in (("NEGATIVE", "POSITIVE"), ("POSITIVE", "NEGATIVE")):
            PredictionCount.objects.create(**common, label=label, n=right + wrong)
            for predicted, n in ((label, right), (other, wrong)):
                ConfusionCell.objects.create(
                    **common,
                    clock=Clock.PREDICTED,
                    source="delayed",
                    actual=label,
                    predicted=predicted,
                    n=n,
                )


def compare(after: int = 2, before: int = 1):
    return load_sides(MODEL, before, after, days=7, now=timezone.now())


def test_a_worse_version_is_called_worse_with_interval_and_p():
    count(1, right=95, wrong=5)
    count(2, right=70, wrong=30)
    measured = compare().measured
    accuracy = measured.averages[0]
    assert (accuracy.told, accuracy.kind) == ("worse", "bad")
    assert accuracy.p_told == "< 0.001"
    assert accuracy.change.startswith("-0.250 (")
    assert [line.told for line in measured.classes] == ["worse", "worse"]
    assert measured.n_predicted == (200, 200)


def test_alike_versions_are_within_chance():
    count(1, right=95, wrong=5)
    count(2, right=94, wrong=6)
    assert {line.told for line in compare().measured.averages} == {"within chance"}


def test_few_labels_are_said_to_be_too_few(viewer):
    count(1, right=95, wrong=5)
    count(2, right=4, wrong=1)
    measured = compare().measured
    assert measured.is_thin
    assert {line.told for line in measured.averages} == {"too few labels"}
    shown = viewer.get(address(), {"before": 1, "after": 2}).content.decode()
    assert "Too few labels to judge" in shown
    assert "they have 200 and 10" in shown


def test_without_any_label_there_is_no_table_and_a_reason(viewer):
    shown = viewer.get(address(), {"before": 1, "after": 2}).content.decode()
    assert "Too few labels to judge" in shown
    assert "Quality of both versions" not in shown


def test_what_differs_in_the_files_is_listed(viewer):
    shown = viewer.get(address(), {"before": 1, "after": 2}).content.decode()
    assert "hidden_dropout_prob" in shown
    assert "README.md" in shown
    assert "The weights are other bytes" in shown
    assert "<strong>Labels</strong>: the same" in shown


def test_cards_are_shown_as_text_without_their_front_matter(viewer):
    sides = compare()
    assert "The second" in sides.cards[1]
    assert "license" not in sides.cards[1]
    assert "<script>alert" not in viewer.get(address(), {"before": 1, "after": 2}).content.decode()


def test_golden_inputs_that_flip_come_first(viewer):
    for number, label in ((1, "POSITIVE"), (2, "NEGATIVE")):
        cases = [
            {"input": "so so", "label": label, "scores": {label: 0.6}},
            {"input": "fine", "label": "POSITIVE", "scores": {"POSITIVE": 0.9}},
        ]
        version = Version.objects.get(number=number)
        Golden.objects.create(version=version, cases=cases, tolerance=0.01, is_given=True)
    diff = compare().diff
    assert diff.n_flips == 1
    assert diff.golden[0].input == "so so"
    assert "1 label differs" in viewer.get(address(), {"before": 1, "after": 2}).content.decode()


def test_files_that_cannot_be_read_leave_the_numbers(viewer):
    count(1, right=95, wrong=5)
    count(2, right=94, wrong=6)
    manifest = json.loads(Version.objects.get(number=2).manifest)
    names = {file["path"]: file["sha256"] for file in manifest}
    from registry.location import open_store

    blob = open_store().blob(names["config.json"])
    blob.chmod(0o644)
    blob.write_bytes(b"{}")
    answer = viewer.get(address(), {"before": 1, "after": 2})
    assert answer.status_code == 200
    assert "The files cannot be compared" in answer.content.decode()
    assert "F1, macro average" in answer.content.decode()


@pytest.mark.parametrize(
    "query", [{}, {"before": 1}, {"before": 1, "after": 1}, {"before": "x", "after": "-2"}]
)
def test_without_two_versions_the_page_asks_for_them(viewer, query):
    answer = viewer.get(address(), query)
    assert answer.status_code == 200
    assert "Choose two different versions" in answer.content.decode()


def test_a_version_that_is_not_there_is_a_404(viewer):
    assert viewer.get(address(), {"before": 1, "after": 9}).status_code == 404


def test_a_comparison_costs_a_bounded_number_of_queries(viewer, django_assert_max_num_queries):
    count(1, right=95, wrong=5)
    count(2, right=70, wrong=30)
    with django_assert_max_num_queries(MAX_QUERIES):
        viewer.get(address(), {"before": 1, "after": 2, "days": 30})


def test_an_unknown_window_is_a_week(viewer):
    answer = viewer.get(address(), {"before": 1, "after": 2, "days": 12})
    assert answer.context["days"] == 7


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [(0.01, 0.05, "better"), (-0.05, -0.01, "worse"), (-0.01, 0.02, "within chance")],
)
def test_an_average_is_judged_by_whether_its_interval_leaves_out_zero(low, high, told):
    middle = (low + high) / 2
    assert Line("F1", Difference(0.8, 0.8 + middle, middle, low, high), None).told == told


def test_a_side_without_anything_is_not_compared():
    line = Line("F1", Difference(0.8, None, None, None, None), 1.0)
    assert (line.told, line.change, line.p_told) == ("nothing to compare", "–", "–")
