"""Several processes that make references of one version at the same time."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from monitoring.models import Basis, Reference
from monitoring.references import services, upkeep
from registry.models import Event
from tests.monitoring.builders import register
from tests.monitoring.references.builders import LATER, MODEL, NOW, run_all, texts

pytestmark = pytest.mark.django_db(transaction=True)
N_MAKERS = 3


def test_makers_at_once_leave_one_active_reference_and_one_basis() -> None:
    register()
    rows = [
        services.ask_with_texts(MODEL, 1, texts(), actor=f"maker {n}", now=NOW)
        for n in range(N_MAKERS)
    ]
    run_all()

    def make(id: int) -> bool:
        try:
            return upkeep.advance_one(Reference.objects.get(pk=id), now=LATER)
        finally:
            connection.close()

    with ThreadPoolExecutor(N_MAKERS) as threads:
        made = list(threads.map(make, [row.pk for row in rows]))

    assert made == [True] * N_MAKERS
    assert Reference.objects.filter(state="ready").count() == N_MAKERS
    active = Reference.objects.get(is_active=True)
    events = list(Event.objects.filter(kind="rebaselined").order_by("id"))
    assert events[-1].details["reference"] == active.pk
    replaced = [event.details["replaced"] for event in events]
    assert replaced == [None, *(event.details["reference"] for event in events[:-1])]
    assert Basis.objects.count() == 1
