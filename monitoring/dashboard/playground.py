"""What the playground needs before anything is asked: whom one may ask, and the chosen ones."""

from dataclasses import asdict, dataclass
from typing import Any

from registry.trials import TrialModel, load_trial_models

EXAMPLES = (
    "A warm, funny film that I will watch again.",
    "The parcel came a week late and the box was broken.",
    "It was not bad, but I would not pay for it twice.",
    "¡Qué película tan bonita!",
)


@dataclass(frozen=True, slots=True)
class Choice:
    """A model and a version to ask; version 0 is the stable one."""

    model: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Playground:
    """`beside` is None where one version is asked; `missing` are choices not in memory."""

    models: tuple[TrialModel, ...]
    first: Choice | None
    beside: Choice | None
    text: str
    missing: tuple[Choice, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def load_playground(
    *, model: str = "", version: str = "", beside: str = "", text: str = ""
) -> Playground:
    """The playground as an address asks for it: `beside` is a version, or `model@version`.

    What cannot be understood is as if it were not given. A version that is not in memory stays
    chosen: whoever followed a link to it shall learn why it cannot be asked.
    """
    models = load_trial_models()
    if not models:
        return Playground(models=(), first=None, beside=None, text=text)
    chosen = next((each for each in models if each.name == model), models[0])
    number = _number(version) if chosen.name == model else 0
    first = Choice(chosen.name, number or chosen.versions[0].number)
    second = _beside(models, first.model, beside)
    asked = [choice for choice in (first, second) if choice is not None]
    missing = tuple(choice for choice in asked if not _is_loaded(models, choice))
    return Playground(models=models, first=first, beside=second, text=text, missing=missing)


def _beside(models: tuple[TrialModel, ...], model: str, beside: str) -> Choice | None:
    name, _, version = beside.rpartition("@")
    choice = Choice(name or model, _number(version))
    is_known = any(each.name == choice.model for each in models)
    return choice if is_known and choice.version else None


def _is_loaded(models: tuple[TrialModel, ...], choice: Choice) -> bool:
    return any(
        version.number == choice.version
        for each in models
        if each.name == choice.model
        for version in each.versions
    )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
