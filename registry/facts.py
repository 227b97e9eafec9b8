"""What a model's own configuration says: its task, its labels, how it pools (pure).

The task comes from the `architectures` entry of `config.json`; an optional `bellwether.json` beside
it (`{"task": …, "pooling": …}`) chooses among the tasks that the architecture can do, and how a
classifier's scores are made (`temperature`, `threshold`). Label rules are those of the transformers
library: `id2label` in logit order, or LABEL_0 … for `num_labels`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from registry.errors import ContentRefused
from registry.specs import Pooling

MAX_LABELS = 10_000
MAX_LABEL_CHARS = 256
DEFAULT_NUM_LABELS = 2
DEFAULT_POOLING = Pooling.MEAN

_NUMBERS = {"temperature": (0.01, 100.0), "threshold": (0.0, 1.0)}
_CHOICES = {"task", "pooling", *_NUMBERS}
_MODES = {
    "pooling_mode_cls_token": Pooling.CLS,
    "pooling_mode_mean_tokens": Pooling.MEAN,
    "pooling_mode_max_tokens": Pooling.MAX,
    "pooling_mode_lasttoken": Pooling.LAST,
}

# By the ending of the architecture's class name; the first task is the one taken unless told.
TASKS_BY_SUFFIX: dict[str, tuple[str, ...]] = {
    "ForSequenceClassification": (
        "text-classification",
        "zero-shot-classification",
        "text-ranking",
    ),
    "ForTokenClassification": ("token-classification",),
    "ForQuestionAnswering": ("question-answering",),
    "ForMaskedLM": ("fill-mask", "feature-extraction"),
    "ForConditionalGeneration": ("text2text-generation", "summarization", "translation"),
    "MarianMTModel": ("translation", "text2text-generation"),
    "ForCausalLM": ("text-generation",),
    "LMHeadModel": ("text-generation",),
    "Model": ("feature-extraction", "sentence-similarity"),
}
TASKS = frozenset(task for tasks in TASKS_BY_SUFFIX.values() for task in tasks)
LABELLED_TASKS = frozenset(
    {"text-classification", "zero-shot-classification", "token-classification"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """`labels` are the class names in logit order, empty for a task without classes."""

    task: str
    labels: tuple[str, ...]
    pooling: Pooling


def read_facts(config: Any, choices: Any, pooling: Any = None) -> ModelFacts:
    """Facts of a model from its parsed `config.json` and `bellwether.json` (`{}` without one).

    `pooling` is what sentence-transformers keeps in `1_Pooling/config.json`, which holds where
    `bellwether.json` says nothing.

    Raises ContentRefused naming the file and the key to mend.
    """
    if not isinstance(config, dict):
        raise _refused("config.json", "must be a JSON object")
    wanted = _check_choices(choices)
    task = _read_task(config, wanted.get("task"))
    labels = _read_labels(config) if task in LABELLED_TASKS else ()
    return ModelFacts(task=task, labels=labels, pooling=_read_pooling(wanted, pooling))


def _check_choices(choices: Any) -> dict[str, Any]:
    if not isinstance(choices, dict) or not choices.keys() <= _CHOICES:
        names = ", ".join(sorted(_CHOICES))
        raise _refused("bellwether.json", f"must be a JSON object with no keys but {names}")
    for name, (low, high) in _NUMBERS.items():
        value = choices.get(name, low)
        if type(value) not in (int, float) or not low <= value <= high:
            raise _refused("bellwether.json", f"{name} must be a number from {low} to {high}")
    return choices


def _read_pooling(choices: Mapping[str, Any], beside: Any) -> Pooling:
    if "pooling" not in choices:
        return _of_sentences(beside)
    try:
        return Pooling(choices["pooling"])
    except ValueError as error:
        names = ", ".join(Pooling)
        raise _refused("bellwether.json", f"pooling must be one of {names}") from error


def _of_sentences(beside: Any) -> Pooling:
    """How sentence-transformers pools; the default where it says nothing."""
    said = beside if isinstance(beside, dict) else {}
    modes = [key for key, value in said.items() if key.startswith("pooling_mode") and value is True]
    if not modes:
        return DEFAULT_POOLING
    if len(modes) > 1 or modes[0] not in _MODES:
        raise _refused(
            "1_Pooling/config.json",
            f"pools by {', '.join(modes)}, which is not served; one of {', '.join(_MODES)} is. "
            'Say {"pooling": …} in bellwether.json if another will do',
        )
    return _MODES[modes[0]]


def _read_task(config: Mapping[str, Any], wanted: Any) -> str:
    possible = _possible_tasks(config.get("architectures"))
    if wanted is None and possible:
        return possible[0]
    if wanted is None:
        raise _refused(
            "config.json",
            "architectures must name one class whose task is known: "
            + ", ".join(f"*{suffix}" for suffix in TASKS_BY_SUFFIX)
            + '; or say {"task": …} in bellwether.json',
        )
    allowed = possible or tuple(sorted(TASKS))
    if wanted not in allowed:
        raise _refused("bellwether.json", f"task must be one of {', '.join(allowed)}")
    return str(wanted)


def _possible_tasks(architectures: Any) -> tuple[str, ...]:
    """Tasks of the one architecture named; none when there is not exactly one that is known."""
    if not isinstance(architectures, list) or len(architectures) != 1:
        return ()
    name = str(architectures[0])
    return next((tasks for end, tasks in TASKS_BY_SUFFIX.items() if name.endswith(end)), ())


def _read_labels(config: Mapping[str, Any]) -> tuple[str, ...]:
    id2label = config.get("id2label")
    labels = _default_labels(config) if id2label is None else _ordered_labels(id2label)
    declared = config.get("num_labels")
    if declared is not None and declared != len(labels):
        raise _refused("config.json", f"num_labels is {declared!r}, id2label has {len(labels)}")
    if len(set(labels)) != len(labels):
        raise _refused("config.json", "id2label names a label twice")
    for label in labels:
        _check_label(label)
    return labels


def _default_labels(config: Mapping[str, Any]) -> tuple[str, ...]:
    n_labels = config.get("num_labels", DEFAULT_NUM_LABELS)
    if type(n_labels) is not int or not 1 <= n_labels <= MAX_LABELS:
        raise _refused("config.json", f"num_labels must be a whole number from 1 to {MAX_LABELS}")
    return tuple(f"LABEL_{n}" for n in range(n_labels))


def _ordered_labels(id2label: Any) -> tuple[str, ...]:
    if not isinstance(id2label, dict) or not 1 <= len(id2label) <= MAX_LABELS:
        raise _refused("config.json", f"id2label must hold 1 to {MAX_LABELS} labels")
    if id2label.keys() != {str(n) for n in range(len(id2label))}:
        raise _refused("config.json", 'id2label must have the keys "0", "1", … without a gap')
    return tuple(id2label[str(n)] for n in range(len(id2label)))


def _check_label(label: Any) -> None:
    is_clean = isinstance(label, str) and label.strip() and label.isprintable()
    if not is_clean or len(label) > MAX_LABEL_CHARS:
        raise _refused(
            "config.json",
            f"a label must be 1 to {MAX_LABEL_CHARS} printable characters: {label!r:.80}",
        )


def _refused(path: str, problem: str) -> ContentRefused:
    return ContentRefused(f"{path}: {problem}", details={"path": path})
