"""Facts about how long answers take: now, and the day before."""

from datetime import timedelta

from monitoring.evaluating.answers import Answer, Question
from monitoring.evaluating.loaders.drift import start_of
from monitoring.evaluating.options import LatencyOptions
from monitoring.evaluating.questions import latency
from monitoring.traffic.windows import load_stretch

DAY = timedelta(days=1)


def ask(question: Question, options: LatencyOptions) -> Answer:
    start = start_of(question)
    window = load_stretch(question.model, question.version, start=start, end=question.at)
    # The stretch between is left out: what slows down slowly must not become the measure.
    earlier = load_stretch(
        question.model, question.version, start=start - 2 * DAY, end=start - timedelta(hours=1)
    )
    facts = latency.LatencyFacts(
        window=window.sums.seconds,
        earlier=earlier.sums.seconds,
        start=window.start or start,
        end=window.end or question.at,
    )
    return latency.answer(question, options, facts)
