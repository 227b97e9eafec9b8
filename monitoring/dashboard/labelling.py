"""What the labelling pages show: queues, how far people agree, and what is to be settled."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Q
from django.urls import reverse

from access.queries import load_names
from monitoring.labelling.agreement import Agreement, agreement
from monitoring.labelling.asking import OPEN_FOR
from monitoring.labelling.opinions import (
    Disagreement,
    Pair,
    count_given,
    load_all_pairs,
    load_disagreements,
    load_pairs,
)
from monitoring.labelling.plans import Plan, load_plan, load_plans
from monitoring.models import AuditItem, AuditState, Second
from registry import queries as registry


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLine:
    """One model's queue in the list of all."""

    model: str
    url: str
    n_open: int
    n_disagreements: int
    plan: Plan
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class Couple:
    """Two people and how far they agree, whoever of them spoke first."""

    first: str
    second: str
    agreement: Agreement


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A disagreement with the names of those who differ; the first opinion counts now."""

    prediction_id: UUID
    text: str | None
    first_name: str
    first_label: str
    second_name: str
    second_label: str
    predicted_label: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePage:
    """What stands beside the text to label."""

    plan: Plan
    agreement: Agreement
    couples: tuple[Couple, ...]
    disagreements: tuple[Case, ...]
    n_disagreements: int
    n_today: int


def load_queues(*, now: datetime) -> tuple[QueueLine, ...]:
    """The queue of every model, those with open items first; as many queries for any number."""
    models = [model.name for model in registry.load_models()]
    plans, pairs = load_plans(models), load_all_pairs()
    counts = {
        row["model"]: row
        for row in AuditItem.objects.filter(
            Q(state=AuditState.OPEN, at__gte=now - OPEN_FOR) | Q(second=Second.DISAGREED)
        )
        .values("model")
        .annotate(
            n_open=Count("pk", filter=Q(state=AuditState.OPEN)),
            n_disagreements=Count("pk", filter=Q(second=Second.DISAGREED)),
        )
    }
    none = {"n_open": 0, "n_disagreements": 0}
    lines = [
        QueueLine(
            model=name,
            url=reverse("dashboard:labelling-model", args=name.split("/")),
            n_open=counts.get(name, none)["n_open"],
            n_disagreements=counts.get(name, none)["n_disagreements"],
            plan=plans[name],
            agreement=_judge(pairs.get(name, ())),
        )
        for name in models
    ]
    return tuple(sorted(lines, key=lambda line: (-line.n_open, line.model)))


def load_queue_page(model: str, labeller: str, *, now: datetime) -> QueuePage:
    """The queue of `model` as `labeller` sees it."""
    pairs, cases = load_pairs(model), load_disagreements(model)
    people = {name for pair in pairs for name in (pair.first_labeller, pair.second_labeller)}
    people |= {name for case in cases for name in (case.first[0], case.second[0])}
    names = load_names(people)
    return QueuePage(
        plan=load_plan(model),
        agreement=_judge(pairs),
        couples=_couples(pairs, names),
        disagreements=tuple(_case(case, names) for case in cases),
        n_disagreements=len(cases),
        n_today=count_today(labeller, now=now),
    )


def count_today(labeller: str, *, now: datetime) -> int:
    """Labels that `labeller` gave in any queue since midnight (UTC)."""
    return count_given(labeller, since=now.replace(hour=0, minute=0, second=0, microsecond=0))


def _judge(pairs: tuple[Pair, ...]) -> Agreement:
    return agreement([(pair.first, pair.second) for pair in pairs])


def _couples(pairs: tuple[Pair, ...], names: dict[str, str]) -> tuple[Couple, ...]:
    """Those who labelled most together first. One couple alone says what the total says."""
    parts: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for pair in pairs:
        who = pair.first_labeller, pair.second_labeller
        said = pair.first, pair.second
        parts[min(who, who[::-1])].append(said if who <= who[::-1] else said[::-1])
    if len(parts) < 2:
        return ()
    most = sorted(parts.items(), key=lambda part: -len(part[1]))
    return tuple(
        Couple(names.get(one, one), names.get(other, other), agreement(said))
        for (one, other), said in most
    )


def _case(case: Disagreement, names: dict[str, str]) -> Case:
    (first, first_label), (second, second_label) = case.first, case.second
    return Case(
        prediction_id=case.prediction_id,
        text=case.text,
        first_name=names.get(first, first),
        first_label=first_label,
        second_name=names.get(second, second),
        second_label=second_label,
        predicted_label=case.predicted_label,
        labels=case.labels,
    )
