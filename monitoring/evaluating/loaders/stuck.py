"""Facts about the other monitors of a model."""

from monitoring.evaluating.answers import Answer, Question
from monitoring.evaluating.counting import load_new_counts
from monitoring.evaluating.options import StuckOptions
from monitoring.evaluating.plans import NEED_TRAFFIC
from monitoring.evaluating.questions import stuck
from monitoring.models import Monitor


def ask(question: Question, options: StuckOptions, monitor: Monitor) -> Answer:
    others = list(
        Monitor.objects.filter(model=monitor.model, is_enabled=True, deleted_at=None)
        .exclude(pk=monitor.pk)
        .order_by("name")
    )
    new = load_new_counts(others, question.at)
    return stuck.answer(question, options, [_watched(each, new[each.pk]) for each in others])


def _watched(monitor: Monitor, n_new: int) -> stuck.Watched:
    is_idle = monitor.kind in NEED_TRAFFIC and not n_new
    return stuck.Watched(
        name=monitor.name,
        every_s=monitor.every_s,
        since=None if is_idle else monitor.evaluated_at or monitor.created_at,
        n_errors=int(monitor.state.get("n_errors", 0)),
        error=str(monitor.state.get("error", "")),
    )
