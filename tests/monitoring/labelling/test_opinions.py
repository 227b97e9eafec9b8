"""Working through the queue: turns of two people, opinions that count, second ones that do not."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connections
from django.utils import timezone

from access.scopes import Scope
from monitoring.errors import AuditItemNotFound, UnknownLabel
from monitoring.labelling.opinions import (
    count_given,
    give_opinion,
    is_second_wanted,
    load_disagreements,
    load_pairs,
    pass_over,
    settle,
)
from monitoring.labelling.turns import HELD_FOR, let_go, take
from monitoring.models import AuditItem, AuditState, Feedback, Opinion, Second
from monitoring.queries import load_quality
from monitoring.rollups import Scope as Asked
from monitoring.windows import parse_window
from registry.errors import ModelNotFound
from tests.monitoring.builders import MODEL, client, make_prediction, register

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.monitoring.urls")]

NOW = timezone.now()


@pytest.fixture(autouse=True)
def queue(settings: Any) -> None:
    settings.BELLWETHER_AUDIT_PER_HOUR = 0
    settings.BELLWETHER_SECOND_OPINIONS = 0
    register()


def open_items(n: int, *, probability: float = 0.25, **changes: object) -> list[UUID]:
    """The first ones are the most uncertain."""
    rows = [make_prediction(at=NOW - timedelta(minutes=5), **changes) for _ in range(n)]
    for i, row in enumerate(rows):
        AuditItem.objects.create(
            prediction=row,
            model=MODEL,
            version=1,
            at=row.at,
            probability=probability,
            uncertainty=0.95 - i / 10,
        )
    return [row.id for row in rows]


def taken(who: str, limit: int = 5, *, now: Any = NOW) -> list[UUID]:
    return [turn.prediction_id for turn in take(MODEL, who, now=now, limit=limit).items]


def say(id: UUID, label: str, who: str) -> str:
    return give_opinion(id, label, labeller=who, now=NOW).status


def test_the_most_useful_come_first_and_say_what_may_be_chosen():
    ids = open_items(3)
    turns = take(MODEL, "ann", now=NOW, limit=2)
    assert [turn.prediction_id for turn in turns.items] == ids[:2]
    assert turns.items[0].labels == ("NEGATIVE", "NEUTRAL", "POSITIVE")
    assert (turns.n_open, turns.n_without_text) == (3, 0)
    with pytest.raises(ModelNotFound):
        take("acme/none", "ann", now=NOW)


def test_two_people_never_get_the_same_item():
    ids = open_items(5)
    first, second = taken("ann", 3), taken("bob", 3)
    assert first == ids[:3]
    assert second == ids[3:]
    assert taken("carla") == []


def test_what_somebody_holds_stays_his_and_comes_first():
    ids = open_items(4)
    assert taken("ann", 2) == ids[:2]
    later = NOW + HELD_FOR - timedelta(seconds=1)
    assert taken("ann", 3, now=later) == ids[:3]
    assert taken("bob", 4, now=NOW + HELD_FOR) == ids[3:]


def test_what_nobody_holds_any_more_is_given_to_the_next():
    ids = open_items(2)
    taken("ann")
    assert taken("bob", now=NOW + HELD_FOR) == ids
    assert let_go(ids, "ann") == 0
    assert let_go(ids, "bob") == 2
    assert taken("ann") == ids


def test_items_without_text_are_counted_and_not_handed_out():
    open_items(1, text=None)
    turns = take(MODEL, "ann", now=NOW)
    assert (turns.n_open, turns.n_without_text, turns.items) == (1, 1, ())


@pytest.mark.django_db(transaction=True)
def test_people_who_ask_at_the_same_moment_share_the_queue_without_overlap():
    ids = open_items(9)
    start = threading.Barrier(3)

    def work(who: str) -> list[UUID]:
        try:
            start.wait(10)
            return taken(who, 4)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(3) as pool:
        found = [id for part in pool.map(work, ("ann", "bob", "carla")) for id in part]
    assert len(found) == len(set(found))
    assert set(found) <= set(ids)
    assert len(found) == 9


def test_a_label_is_audit_feedback_weighed_by_the_draw_and_an_opinion():
    [id] = open_items(1, probability=0.2)
    taken("ann")
    assert say(id, "NEGATIVE", "ann") == "recorded"
    said = Feedback.objects.get()
    assert (said.label, said.source, said.key_id, said.weight) == ("NEGATIVE", "audit", "ann", 5000)
    item = AuditItem.objects.get()
    assert (item.state, item.holder, item.second) == (AuditState.LABELLED, "", Second.NONE)
    assert Opinion.objects.get().labeller == "ann"
    assert count_given("ann", since=NOW) == 1
    assert count_given("bob", since=NOW) == 0


def test_the_weights_enter_the_quality_of_audits():
    [rare] = open_items(1, probability=0.01)
    AuditItem.objects.update(state=AuditState.OPEN)
    for id, label in ((rare, "NEGATIVE"), *((id, "POSITIVE") for id in open_items(9))):
        say(id, label, "ann")
    window = parse_window(None, None, now=NOW + timedelta(minutes=1))
    [part] = load_quality(Asked(model=MODEL, window=window)).by_source
    assert part.source == "audit"
    # One wrong answer that speaks for a hundred, nine right ones that speak for four each.
    assert part.quality.accuracy.value == pytest.approx(36 / 136)


def test_changing_ones_mind_revises_what_counts():
    [id] = open_items(1)
    say(id, "NEGATIVE", "ann")
    assert say(id, "NEGATIVE", "ann") == "unchanged"
    assert say(id, "NEUTRAL", "ann") == "revised"
    assert [row.label for row in Feedback.objects.order_by("revision")] == ["NEGATIVE", "NEUTRAL"]
    assert Opinion.objects.get().label == "NEUTRAL"


def test_what_was_not_drawn_or_is_no_label_is_refused_and_changes_nothing():
    [id] = open_items(1)
    undrawn = make_prediction(at=NOW)
    for target in (undrawn.id, uuid4()):
        with pytest.raises(AuditItemNotFound):
            say(target, "NEGATIVE", "ann")
    with pytest.raises(UnknownLabel):
        say(id, "ANGRY", "ann")
    assert (Feedback.objects.count(), Opinion.objects.count()) == (0, 0)


@pytest.fixture
def seconds(settings: Any) -> None:
    """Everything that is labelled is asked about once more."""
    settings.BELLWETHER_SECOND_OPINIONS = 100


def test_a_second_opinion_is_asked_of_somebody_else_and_is_blind(seconds):
    [id] = open_items(1)
    say(id, "NEGATIVE", "ann")
    assert taken("ann") == []
    [turn] = take(MODEL, "bob", now=NOW).items
    assert turn.prediction_id == id
    assert taken("carla") == []
    assert not {"known_label", "second"} & set(turn.__slots__)


def test_the_first_opinion_stands_and_the_second_says_how_far_they_agree(seconds):
    ids = open_items(3)
    for id, other in zip(ids, ("NEGATIVE", "POSITIVE", "NEGATIVE"), strict=True):
        assert say(id, "NEGATIVE", "ann") == "recorded"
        assert say(id, other, "bob") == "second_opinion"
    assert set(Feedback.objects.values_list("label", "key_id")) == {("NEGATIVE", "ann")}
    assert sorted((pair.first, pair.second) for pair in load_pairs(MODEL)) == [
        ("NEGATIVE", "NEGATIVE"),
        ("NEGATIVE", "NEGATIVE"),
        ("NEGATIVE", "POSITIVE"),
    ]
    [differing] = load_disagreements(MODEL)
    assert (differing.first, differing.second) == (("ann", "NEGATIVE"), ("bob", "POSITIVE"))
    assert taken("bob") == []
    with pytest.raises(UnknownLabel):
        say(ids[0], "ANGRY", "bob")


def test_somebody_who_comes_round_ends_the_disagreement(seconds):
    [id] = open_items(1)
    say(id, "NEGATIVE", "ann")
    say(id, "POSITIVE", "bob")
    say(id, "NEGATIVE", "bob")
    assert load_disagreements(MODEL) == ()
    assert AuditItem.objects.get().second == Second.AGREED


def test_settling_revises_what_counts_and_stays(seconds):
    [id] = open_items(1)
    say(id, "NEGATIVE", "ann")
    with pytest.raises(AuditItemNotFound):
        settle(id, "POSITIVE", settler="olga", now=NOW)
    say(id, "POSITIVE", "bob")
    assert settle(id, "POSITIVE", settler="olga", now=NOW).status == "revised"
    assert load_disagreements(MODEL) == ()
    last = Feedback.objects.order_by("revision").last()
    assert last is not None
    assert (last.label, last.source, last.key_id) == ("POSITIVE", "audit", "olga")
    assert say(id, "NEUTRAL", "ann") == "second_opinion"
    assert Feedback.objects.count() == 2
    assert len(load_pairs(MODEL)) == 1


def test_one_second_opinion_at_a_time_beside_open_items(seconds):
    labelled = open_items(2)
    for id in labelled:
        say(id, "NEGATIVE", "ann")
    fresh = open_items(3)
    first = taken("bob", 3)
    assert len(set(first) & set(labelled)) == 1
    assert set(taken("bob", 3)) == set(first)
    for id in fresh:
        say(id, "NEGATIVE", "bob")
    assert set(taken("bob", 5)) == set(labelled)


def test_passing_over_a_second_opinion_asks_nobody_again(seconds):
    [id] = open_items(1)
    say(id, "NEGATIVE", "ann")
    pass_over(id, labeller="bob", now=NOW)
    assert taken("bob") == taken("carla") == []
    assert AuditItem.objects.get().state == AuditState.LABELLED
    with pytest.raises(AuditItemNotFound):
        pass_over(id, labeller="ann", now=NOW)


def test_a_skipped_item_may_still_be_labelled():
    [id] = open_items(1)
    pass_over(id, labeller="ann", now=NOW)
    assert AuditItem.objects.get().state == AuditState.SKIPPED
    assert say(id, "NEGATIVE", "ann") == "recorded"
    assert AuditItem.objects.get().state == AuditState.LABELLED


def test_a_share_of_ids_is_asked_about_twice_and_always_the_same_ones():
    ids = [UUID(int=i) for i in range(5000)]
    chosen = {id for id in ids if is_second_wanted(id, 10)}
    assert 0.08 < len(chosen) / len(ids) < 0.12
    assert chosen <= {id for id in ids if is_second_wanted(id, 20)}


def test_asking_costs_the_same_however_much_is_open(django_assert_max_num_queries):
    open_items(9)
    with django_assert_max_num_queries(16):
        take(MODEL, "ann", now=NOW, limit=5)
    open_items(9)
    with django_assert_max_num_queries(16):
        take(MODEL, "ann", now=NOW, limit=5)


AUDIT = "/api/v1/audit"


def test_the_queue_is_worked_through_over_http(settings):
    settings.BELLWETHER_SECOND_OPINIONS = 100
    [id] = open_items(1)
    api = client()
    [item] = api.post(f"{AUDIT}/take", {"model": MODEL}, format="json").json()["results"]
    assert (item["prediction_id"], item["text"]) == (str(id), "a fine day")
    answer = api.post(f"{AUDIT}/{id}/label", {"label": "NEGATIVE"}, format="json").json()
    assert (answer["status"], answer["predicted_label"]) == ("recorded", "POSITIVE")
    say(id, "POSITIVE", "bob")
    settled = api.post(f"{AUDIT}/{id}/settle", {"label": "POSITIVE"}, format="json").json()
    assert settled["status"] == "revised"
    judged = api.get(f"/api/v1/models/{MODEL}/agreement").json()
    assert (judged["n"], judged["n_agreed"], judged["verdict"]) == (1, 0, "INSUFFICIENT_DATA")
    assert api.post(f"{AUDIT}/let-go", {"ids": [str(id)]}, format="json").json() == {"n": 0}


@pytest.mark.parametrize(
    ("path", "body", "scope"),
    [
        ("take", {"model": MODEL}, Scope.FEEDBACK),
        ("let-go", {"ids": []}, Scope.FEEDBACK),
        ("{id}/label", {"label": "NEGATIVE"}, Scope.FEEDBACK),
        ("{id}/skip", {}, Scope.FEEDBACK),
        ("{id}/settle", {"label": "NEGATIVE"}, Scope.PROMOTE),
    ],
    ids=["take", "let-go", "label", "skip", "settle"],
)
def test_each_path_asks_for_its_scope(path, body, scope):
    [id] = open_items(1)
    address = f"{AUDIT}/{path.format(id=id)}"
    for other in set(Scope) - {scope, Scope.ADMIN}:
        assert client(other).post(address, body, format="json").status_code == 403
    assert client(scope).post(address, body, format="json").status_code != 403


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("take", {}, (422, "invalid_request")),
        ("take", {"model": MODEL, "limit": 21}, (422, "invalid_request")),
        ("take", {"model": "acme/none"}, (404, "model_not_found")),
        ("{id}/label", {"label": ""}, (422, "invalid_request")),
        ("{id}/label", {"label": "ANGRY"}, (422, "unknown_label")),
        ("{other}/label", {"label": "NEGATIVE"}, (404, "audit_item_not_found")),
        ("{id}/settle", {"label": "NEGATIVE"}, (404, "audit_item_not_found")),
    ],
)
def test_what_is_wrong_is_named(path, body, code):
    [id] = open_items(1)
    address = f"{AUDIT}/{path.format(id=id, other=UUID(int=1))}"
    answer = client().post(address, body, format="json")
    assert (answer.status_code, answer.json()["error"]["code"]) == code


def test_an_answer_that_is_no_label_is_handed_out_and_judged_as_a_whole() -> None:
    kept = '{"answer":"Ada","score":0.5,"start":0,"end":3}'
    scores = {"answer": 0.5, "no_answer": 0.1}
    given = {"task": "question-answering", "label": "answer", "scores": scores, "answer": kept}
    right, wrong = open_items(2, probability=1.0, **given)
    [turn, _] = (
        client().post("/api/v1/audit/take", {"model": MODEL}, format="json").json()["results"]
    )
    assert turn["labels"] == ["right", "wrong"]
    assert turn["answer"] == {"answer": "Ada", "score": 0.5, "start": 0, "end": 3}
    for id, label in ((right, "right"), (wrong, "wrong")):
        assert give_opinion(id, label, labeller="ann", now=NOW).status == "recorded"
    with pytest.raises(UnknownLabel):
        give_opinion(right, "Ada", labeller="ann", now=NOW)
    window = parse_window("", "", now=NOW + timedelta(minutes=2))
    assert load_quality(Asked(model=MODEL, window=window)).quality.accuracy.value == 0.5
