"""Which version is meant, and since when it answers."""

from datetime import timedelta

import pytest

from monitoring.evaluating.resolving import Subject, resolve
from registry import queries as registry
from registry.errors import ModelNotFound
from registry.models import RegisteredModel
from registry.specs import EventKind
from tests.monitoring.builders import MODEL, register
from tests.monitoring.evaluating.builders import NOW, go_live
from tests.registry.events import append_event

pytestmark = pytest.mark.django_db


def test_the_live_version_is_meant_since_it_was_last_promoted() -> None:
    for i, number in enumerate((1, 2, 1)):
        go_live(number, at=NOW + i * timedelta(hours=1))
    assert resolve(MODEL, None) == Subject(MODEL, 1, NOW + timedelta(hours=2))


def test_a_change_of_its_canaries_is_no_promotion() -> None:
    go_live(at=NOW)
    append_event(
        at=NOW + timedelta(hours=1),
        model=RegisteredModel.objects.get(),
        model_name=MODEL,
        kind=EventKind.ROUTED,
        actor="tests",
        to_number=1,
    )
    assert registry.load_live_since(MODEL) == NOW


def test_a_version_that_is_named_is_meant_whether_it_is_live_or_not() -> None:
    register(number=3)
    assert resolve(MODEL, 3) == Subject(MODEL, 3, None)


def test_what_is_not_there_has_no_subject() -> None:
    assert resolve(MODEL, None) is None
    register()
    assert resolve(MODEL, None) is None
    assert resolve(MODEL, 7) is None
    assert registry.load_live_since(MODEL) is None
    with pytest.raises(ModelNotFound):
        registry.load_live_since("acme/none")
