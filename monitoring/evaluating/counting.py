"""How many predictions came since monitors were last evaluated: one query for all of them."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Sum

from monitoring.models import Monitor, PredictionCount
from monitoring.windows import Grain, floor

# A monitor that was not evaluated for longer is due anyway.
LOOKED_BACK = timedelta(days=3)


def load_new_counts(monitors: Sequence[Monitor], now: datetime) -> dict[int, int]:
    """Predictions of each monitor's model since its last evaluation, by the monitor's id."""
    days = {each.pk: _day(each, now) for each in monitors}
    if not days:
        return {}
    totals = _load({each.model for each in monitors}, min(days.values()))
    counts = {}
    for each in monitors:
        n = sum(n for day, n in totals[each.model].items() if day >= days[each.pk])
        is_known = each.evaluated_at is not None and each.evaluated_at >= days[each.pk]
        counts[each.pk] = max(0, n - each.n_at_evaluation) if is_known else n
    return counts


def load_day_count(model: str, now: datetime) -> int:
    """Predictions of a model on the UTC day of `now`: what is kept as `n_at_evaluation`."""
    return _load({model}, floor(now, Grain.DAY))[model].get(floor(now, Grain.DAY), 0)


def _day(monitor: Monitor, now: datetime) -> datetime:
    earliest = floor(now - LOOKED_BACK, Grain.DAY)
    if monitor.evaluated_at is None:
        return earliest
    return max(floor(monitor.evaluated_at, Grain.DAY), earliest)


def _load(models: set[str], since: datetime) -> dict[str, dict[datetime, int]]:
    rows = PredictionCount.objects.filter(model__in=models, grain=Grain.DAY, bucket__gte=since)
    totals: defaultdict[str, dict[datetime, int]] = defaultdict(dict)
    for model, day, n in rows.order_by().values_list("model", "bucket").annotate(n=Sum("n")):
        totals[model][day] = n
    return totals
