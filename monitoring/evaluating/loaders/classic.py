"""Facts for the classic rule: two windows of labelled answers, one after the other."""

from datetime import datetime, timedelta

from monitoring.evaluating.answers import Answer, Question
from monitoring.evaluating.options import ClassicOptions
from monitoring.evaluating.questions import classic
from monitoring.quality.metrics import Matrix, matrix
from monitoring.rollups import Scope, load_cells
from monitoring.windows import Grain, Window, floor


def ask(question: Question, options: ClassicOptions) -> Answer:
    end = floor(question.at, Grain.MINUTE)
    start = floor(end - timedelta(seconds=question.window), Grain.MINUTE)
    facts = classic.ClassicFacts(
        window=_load(question, start, end),
        before=_load(question, start - (end - start), start),
        start=start,
        end=end,
    )
    return classic.answer(question, options, facts)


def _load(question: Question, start: datetime, end: datetime) -> Matrix:
    scope = Scope(model=question.model, window=Window(start, end), version=question.version)
    return matrix(load_cells(scope).get(None, {}))
