"""Model cards: README.md with the Hub's front matter, checked (pure).

Errors are what a client of the Hub would stumble over: YAML that cannot be read, fields of the
wrong type. What a card merely lacks, or what is only not known here, is a warning.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from registry.cards.front_matter import InvalidFrontMatter, parse, split
from registry.cards.words import LANGUAGES, LICENCES, OTHER_LANGUAGES, RELATIONS

README = "README.md"
MAX_CARD_CHARS = 1024**2
MAX_FINDINGS = 50

_LANGUAGE = re.compile(r"[a-z]{3}|[a-z]{2,3}(-[A-Za-z0-9]{2,8})+")
_REPOSITORY = re.compile(r"[A-Za-z0-9._-]{1,96}(/[A-Za-z0-9._-]{1,96})?")
_RECOMMENDED = ("license", "language", "pipeline_tag", "library_name")


@dataclass(frozen=True, slots=True, kw_only=True)
class CardLint:
    """What is wrong with a card (`errors`) and what could be better (`warnings`), in sentences."""

    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def lint_card(text: str, *, task: str | None = None) -> CardLint:
    """Check a card; `task` is what the version does, where that is known.

    >>> lint_card("---\\nlicense: [1]\\n---\\n# A").errors
    ('license must be text, or a list of texts',)
    """
    if len(text) > MAX_CARD_CHARS:
        return CardLint(errors=(f"the card is over {MAX_CARD_CHARS} characters",))
    front, body = split(text)
    if front is None:
        told = "there is no front matter (YAML between two lines of ---): license, language, …"
        return CardLint(warnings=(told,))
    try:
        data = parse(front)
    except InvalidFrontMatter as error:
        return CardLint(errors=(str(error),))
    lint = _Lint()
    for field, check in _CHECKS.items():
        if data.get(field) is not None:
            check(lint, field, data[field])
    lint.lacking(data, body, task)
    return CardLint(
        errors=tuple(lint.errors[:MAX_FINDINGS]), warnings=tuple(lint.warnings[:MAX_FINDINGS])
    )


def card_data(text: str) -> dict[str, Any]:
    """The front matter as JSON values; empty without one, or where it cannot be read."""
    front = split(text[:MAX_CARD_CHARS]).yaml
    try:
        return {} if front is None else parse(front)
    except InvalidFrontMatter:
        return {}


@dataclass(frozen=True, slots=True)
class Metric:
    """One result of `model-index`: what was measured on which data."""

    task: str
    dataset: str
    name: str
    value: float | str


def read_metrics(data: dict[str, Any]) -> tuple[Metric, ...]:
    """The results in `model-index`, in its order; what has another shape is left out."""
    found = []
    for model in _dicts(data.get("model-index")):
        for result in _dicts(model.get("results")):
            task, dataset = _dict(result.get("task")), _dict(result.get("dataset"))
            for metric in _dicts(result.get("metrics")):
                value = metric.get("value")
                if isinstance(value, float | int | str) and not isinstance(value, bool):
                    found.append(
                        Metric(
                            task=str(task.get("type") or ""),
                            dataset=str(dataset.get("name") or dataset.get("type") or ""),
                            name=str(metric.get("name") or metric.get("type") or ""),
                            value=value,
                        )
                    )
    return tuple(found)


class _Lint:
    def __init__(self) -> None:
        self.errors: list[str] = []
        self.warnings: list[str] = []

    def texts(self, field: str, value: Any) -> list[str]:
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(each, str) for each in values):
            self.errors.append(f"{field} must be text, or a list of texts")
            return []
        return values

    def lacking(self, data: dict[str, Any], body: str, task: str | None) -> None:
        self.warnings += [f"{field} is missing" for field in _RECOMMENDED if not data.get(field)]
        tag = data.get("pipeline_tag")
        if task and isinstance(tag, str) and tag != task:
            self.warnings.append(f"pipeline_tag is {tag:.40}, and the version's task is {task}")
        if data.get("license") == "other" and not data.get("license_name"):
            self.warnings.append("license is other: say which in license_name and license_link")
        if not body.strip():
            self.warnings.append("there is no text after the front matter")


def _check_license(lint: _Lint, field: str, value: Any) -> None:
    for name in lint.texts(field, value):
        if name not in LICENCES:
            lint.warnings.append(f"license {name!r:.60} is no licence that the Hub knows")


def _check_language(lint: _Lint, field: str, value: Any) -> None:
    for code in lint.texts(field, value):
        is_known = code in LANGUAGES or code in OTHER_LANGUAGES
        if not is_known and not _LANGUAGE.fullmatch(code):
            lint.warnings.append(f"language {code!r:.60} is no ISO 639 code such as en or deu")


def _check_repositories(lint: _Lint, field: str, value: Any) -> None:
    for name in lint.texts(field, value):
        if not _REPOSITORY.fullmatch(name):
            lint.warnings.append(f"{field} {name!r:.120} is no name of the form namespace/name")


def _check_texts(lint: _Lint, field: str, value: Any) -> None:
    lint.texts(field, value)


def _check_list(lint: _Lint, field: str, value: Any) -> None:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        lint.errors.append(f"{field} must be a list of texts")


def _check_text(lint: _Lint, field: str, value: Any) -> None:
    if not isinstance(value, str):
        lint.errors.append(f"{field} must be text")


def _check_relation(lint: _Lint, field: str, value: Any) -> None:
    if value not in list(RELATIONS):
        lint.warnings.append(f"{field} should be one of {', '.join(sorted(RELATIONS))}")


def _check_index(lint: _Lint, field: str, value: Any) -> None:
    problem = _index_problem(value)
    if problem:
        lint.errors.append(f"{field}: {problem}")


def _index_problem(value: Any) -> str:
    if not isinstance(value, list):
        return "must be a list of models"
    for model in value:
        if not isinstance(model, dict) or not isinstance(model.get("name"), str):
            return "every model needs a name"
        if not isinstance(model.get("results", []), list):
            return "results must be a list"
        for result in model.get("results", []):
            problem = _result_problem(result)
            if problem:
                return problem
    return ""


def _result_problem(result: Any) -> str:
    if not isinstance(result, dict):
        return "a result must have task, dataset and metrics"
    if not isinstance(_dict(result.get("task")).get("type"), str):
        return "a result's task needs a type"
    dataset = _dict(result.get("dataset"))
    if not isinstance(dataset.get("type"), str) or not isinstance(dataset.get("name"), str):
        return "a result's dataset needs a type and a name"
    metrics = result.get("metrics")
    if not isinstance(metrics, list) or not metrics:
        return "a result needs metrics"
    for metric in metrics:
        if not isinstance(_dict(metric).get("type"), str) or "value" not in metric:
            return "a metric needs a type and a value"
    return ""


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


_CHECKS: dict[str, Callable[[_Lint, str, Any], None]] = {
    "license": _check_license,
    "language": _check_language,
    "base_model": _check_repositories,
    "base_model_relation": _check_relation,
    "datasets": _check_texts,
    "metrics": _check_texts,
    "pipeline_tag": _check_text,
    "library_name": _check_text,
    "tags": _check_list,
    "model-index": _check_index,
}
