"""The step that holds a time, computed by the database: reading times one by one is slow."""

from typing import Any

from django.db.models import BigIntegerField, Func

from monitoring.timelines.steps import Steps


class StepOf(Func):
    """The step of `steps` that a column's time is in; the column must lie in their window."""

    arity = 1
    output_field = BigIntegerField()

    def __init__(self, *expressions: Any, steps: Steps, **extra: Any) -> None:
        super().__init__(*expressions, steps=steps, **extra)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        # Whole seconds of the text: SQLite rounds a fraction, to the next second if need be.
        # Its %s is escaped twice: for the template, and for the statement's parameters.
        second = "CAST(strftime('%%%%s', substr(%(expressions)s, 1, 19)) AS INTEGER)"
        return self.as_sql(compiler, connection, template=self._divided(second), **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        second = "CAST(FLOOR(EXTRACT(EPOCH FROM %(expressions)s)) AS bigint)"
        return self.as_sql(compiler, connection, template=self._divided(second), **context)

    def _divided(self, second: str) -> str:
        steps: Steps = self.extra["steps"]
        return f"(({second} - {steps.start_s:d}) / {steps.step_s:d})"
