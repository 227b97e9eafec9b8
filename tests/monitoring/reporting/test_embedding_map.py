"""The map of embeddings: what is on it, where, and why it may be empty."""

from datetime import timedelta
from uuid import uuid4

import numpy as np
import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from access.scopes import Scope
from inference.journal import ORIGIN
from inference.records import PredictionRecord
from monitoring.keeping import keep, load_position
from monitoring.models import Feedback
from monitoring.references import services, upkeep
from monitoring.reporting.embedding_map import EmbeddingMap, Kind, Reason, load_map
from monitoring.windows import Window
from registry.errors import ModelNotFound, VersionNotFound
from registry.models import RegisteredModel, Route, Version
from tests.monitoring.builders import client, register
from tests.monitoring.references.builders import MODEL, NOW, N, answers, run_all, texts

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.monitoring.urls")]

WINDOW = Window(NOW - timedelta(hours=1), NOW + timedelta(hours=1))
PATH = f"/api/v1/models/{MODEL}/map"


@pytest.fixture(autouse=True)
def _registered(settings) -> None:
    register()
    settings.BELLWETHER_RESERVOIR_SIZE = 200


def traffic(records: list[PredictionRecord]) -> None:
    journal = uuid4()
    assert load_position(journal) == ORIGIN
    keep(journal, ORIGIN, ORIGIN._replace(offset=1), records)


def make_reference() -> None:
    services.ask_with_texts(MODEL, 1, texts(), actor="ada", now=NOW)
    run_all()
    upkeep.advance(now=NOW)


def make_live(number: int = 1) -> None:
    model = RegisteredModel.objects.get()
    version = Version.objects.get(model=model, number=number)
    Route.objects.create(model=model, version=version, mode="live", weight=100, position=0)


def load(**changes: int) -> EmbeddingMap:
    return load_map(MODEL, 1, WINDOW, **changes)


def of(found: EmbeddingMap, kind: Kind) -> list:
    return [point for point in found.points if point.of is kind]


def test_the_reference_and_the_window_are_both_there() -> None:
    make_reference()
    traffic(answers(30, seed=3))
    found = load()
    assert (found.count(Kind.REFERENCE), found.count(Kind.WINDOW)) == (N, 30)
    assert found.reason is None
    assert found.explained is not None
    assert found.explained[0] > found.explained[1]
    known = of(found, Kind.REFERENCE)[0]
    assert known.text
    assert known.actual
    assert known.prediction_id is None
    assert known.at is None
    recent = of(found, Kind.WINDOW)[0]
    assert recent.prediction_id is not None
    assert recent.at is not None
    assert recent.actual is None


def test_a_text_lies_where_it_lies_in_the_reference() -> None:
    """The reference answers the same texts as the window: the planes are one."""
    make_reference()
    traffic(answers(20))
    found = load()
    known = {point.text: (point.x, point.y) for point in of(found, Kind.REFERENCE)}
    for point in of(found, Kind.WINDOW):
        assert np.allclose(known[point.text], (point.x, point.y), atol=0.01)


def test_the_window_does_not_move_the_reference() -> None:
    make_reference()
    before = load()
    traffic(answers(40, seed=9))
    after = load()
    assert of(after, Kind.REFERENCE) == of(before, Kind.REFERENCE)


def test_without_a_reference_the_window_spans_the_plane() -> None:
    traffic(answers(30))
    found = load()
    assert found.reference is None
    assert found.count(Kind.WINDOW) == len(found.points) == 30


def test_the_label_that_is_known_is_told() -> None:
    traffic(answers(5))
    id = load().points[0].prediction_id
    Feedback.objects.create(
        prediction_id=id, revision=1, label="NEUTRAL", source="audit", at=timezone.now()
    )
    told = {point.prediction_id: point.actual for point in load().points}
    assert told.pop(id) == "NEUTRAL"
    assert set(told.values()) == {None}


def test_at_most_so_many_of_either_kind_are_shown() -> None:
    make_reference()
    traffic(answers(30))
    found = load(limit=7)
    assert (found.count(Kind.REFERENCE), found.count(Kind.WINDOW)) == (7, 7)
    assert load(limit=7) == found


def test_a_long_text_is_cut_and_a_text_that_is_not_kept_is_none() -> None:
    traffic([*answers(1, text="x" * 1000), *answers(1, text=None)])
    texts = {point.text for point in load().points}
    assert texts == {"x" * 240 + "…", None}


def test_embeddings_of_another_size_are_left_out() -> None:
    make_reference()
    traffic(answers(3, embedding=b"\x00\x3c" * 4))
    assert load().count(Kind.WINDOW) == 0


@pytest.mark.parametrize(
    ("size", "records", "reason"),
    [
        (200, [], Reason.NO_TRAFFIC),
        (0, [], Reason.RESERVOIR_OFF),
        (200, [{"embedding": b""}], Reason.NO_EMBEDDINGS),
        (200, [{"embedding": b"\x00\x7e" * 6}], Reason.NO_EMBEDDINGS),
    ],
    ids=["quiet", "off", "not-embedded", "not-finite"],
)
def test_an_empty_map_says_why(settings, size: int, records: list, reason: Reason) -> None:
    settings.BELLWETHER_RESERVOIR_SIZE = size
    for changes in records:
        traffic(answers(4, **changes))
    found = load()
    assert (found.points, found.explained, found.reason) == ((), None, reason)


def test_the_live_version_is_meant_unless_one_is_named() -> None:
    register(number=2)
    traffic([*answers(4), *answers(3, version=2)])
    assert load_map(MODEL, None, WINDOW).reason is Reason.NO_VERSION
    make_live(2)
    found = load_map(MODEL, None, WINDOW)
    assert (found.version, len(found.points)) == (2, 3)


def test_what_is_not_registered_is_refused() -> None:
    with pytest.raises(ModelNotFound):
        load_map("no/model", None, WINDOW)
    with pytest.raises(VersionNotFound):
        load_map(MODEL, 9, WINDOW)


@pytest.fixture
def api() -> APIClient:
    return client(Scope.READ)


def test_it_goes_out_as_its_schema_says(api: APIClient) -> None:
    make_reference()
    traffic(answers(6))
    query = {"from": WINDOW.start.isoformat(), "to": WINDOW.end.isoformat(), "version": "1"}
    answer = api.get(PATH, query).json()
    assert (answer["n_reference"], answer["n_window"], answer["version"]) == (N, 6, 1)
    assert len(answer["explained"]) == 2
    assert answer["from"] == WINDOW.start.isoformat().replace("+00:00", "Z")
    point = answer["points"][-1]
    assert set(point) == {
        *("x", "y", "of", "text", "label", "score", "actual", "prediction_id", "at"),
    }
    assert point["of"] == "window"
    assert point["at"].endswith("Z")


@pytest.mark.parametrize(
    "query",
    [{"limit": "501"}, {"limit": "x"}, {"segment": "a"}, {"version": "0"}, {"from": "never"}],
    ids=["too-many", "no-number", "unknown", "no-version", "no-time"],
)
def test_a_bad_query_is_refused(api: APIClient, query: dict[str, str]) -> None:
    assert api.get(PATH, query).status_code == 422


def test_it_needs_the_scope_read() -> None:
    assert client(Scope.PREDICT).get(PATH).status_code == 403


def test_the_number_of_points_does_not_change_the_number_of_queries(
    api: APIClient, django_assert_max_num_queries
) -> None:
    make_reference()
    traffic(answers(100))
    make_live()
    with django_assert_max_num_queries(8):
        assert load_map(MODEL, None, WINDOW).count(Kind.WINDOW) == 100
