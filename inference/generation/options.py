"""What a caller may ask of one generation. Pure.

A field that is None takes what the model's directory says (`generation_config.json`, then what
transformers says for everybody). The names and meanings are those of transformers.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

import msgspec

from inference.errors import InvalidRequest, UnknownParameter

MAX_STOP_STRINGS = 8
MAX_STOP_CHARS = 128
MAX_SEED = 2**63 - 1

SAMPLING = ("temperature", "top_k", "top_p", "typical_p")
"""Fields that mean something only where tokens are drawn."""
BEAMS = ("length_penalty", "early_stopping")
"""Fields that mean something only where beams are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationOptions:
    """One request's wishes. Raises InvalidRequest, naming field and remedy, where none can be met.

    Asking for one of `SAMPLING` without saying `do_sample` means `do_sample`.
    """

    max_new_tokens: int | None = None
    """Tokens made at most, the end-of-text token included."""
    min_new_tokens: int | None = None
    """Tokens before the model may end."""
    max_length: int | None = None
    """As `max_new_tokens`, but the prompt counts (causal) or the decoder's start token does."""
    min_length: int | None = None
    """As `min_new_tokens`, counted as `max_length` is."""
    do_sample: bool | None = None
    """Draw each token instead of taking the likeliest."""
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    typical_p: float | None = None
    repetition_penalty: float | None = None
    no_repeat_ngram_size: int | None = None
    seed: int | None = None
    """Where drawing starts; sequence k of `num_return_sequences` starts at `seed + k`."""
    stop: tuple[str, ...] = ()
    """Texts that end the generation; the answer ends before the first one."""
    num_return_sequences: int | None = None
    num_beams: int | None = None
    length_penalty: float | None = None
    early_stopping: bool | Literal["never"] | None = None
    truncation: bool = False
    """Shorten a prompt that does not fit instead of refusing it."""

    def __post_init__(self) -> None:
        for name, (low, high) in _INTEGERS.items():
            _check_integer(name, getattr(self, name), low, high)
        for name, limits in _NUMBERS.items():
            _check_number(name, getattr(self, name), *limits)
        self._check_stop()
        self._check_pairs()

    def given(self) -> dict[str, object]:
        """Return the fields of transformers' own that the caller has set, by name."""
        ours = {"seed", "stop", "truncation"}
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            name: value for name, value in values.items() if value is not None and name not in ours
        }

    @property
    def wants_sampling(self) -> bool | None:
        """What the caller said, or meant by a sampling field; None for neither."""
        if self.do_sample is not None:
            return self.do_sample
        return True if any(getattr(self, name) is not None for name in SAMPLING) else None

    def _check_stop(self) -> None:
        if len(self.stop) > MAX_STOP_STRINGS:
            raise refuse("stop", f"holds {len(self.stop)} texts", f"{MAX_STOP_STRINGS} may come")
        for text in self.stop:
            if not 0 < len(text) <= MAX_STOP_CHARS:
                raise refuse(
                    "stop",
                    f"holds a text of {len(text)} characters",
                    f"send texts of 1 to {MAX_STOP_CHARS}",
                )

    def _check_pairs(self) -> None:
        for one, other in (("max_new_tokens", "max_length"), ("min_new_tokens", "min_length")):
            if getattr(self, one) is not None and getattr(self, other) is not None:
                raise refuse(other, f"contradicts {one!r}", "send one of the two")
        for low, high in (("min_new_tokens", "max_new_tokens"), ("min_length", "max_length")):
            least, most = getattr(self, low), getattr(self, high)
            if least is not None and most is not None and least > most:
                raise refuse(low, f"({least}) is more than {high!r} ({most})", f"lower {low!r}")
        if self.do_sample is False:
            for name in SAMPLING:
                if getattr(self, name) is not None:
                    raise refuse(
                        name, "has no effect while 'do_sample' is false", "leave one of them out"
                    )
        has_beams = self.num_beams is not None and self.num_beams > 1
        if has_beams and self.wants_sampling:
            raise refuse("num_beams", "cannot be joined with sampling", "leave one of them out")
        if has_beams and self.stop:
            raise refuse("stop", "cannot be joined with beams", "set 'num_beams' to 1")


_INTEGERS: Mapping[str, tuple[int, int]] = {
    "max_new_tokens": (1, 1_000_000),
    "min_new_tokens": (0, 1_000_000),
    "max_length": (1, 1_000_000),
    "min_length": (0, 1_000_000),
    "top_k": (1, 1_000_000),
    "no_repeat_ngram_size": (0, 1024),
    "seed": (0, MAX_SEED),
    "num_return_sequences": (1, 64),
    "num_beams": (1, 64),
}
# Lowest, highest, whether the lowest itself is allowed.
_NUMBERS: Mapping[str, tuple[float, float, bool]] = {
    "temperature": (0.0, 100.0, False),
    "top_p": (0.0, 1.0, False),
    "typical_p": (0.0, 1.0, False),
    "repetition_penalty": (0.0, 100.0, False),
    "length_penalty": (-100.0, 100.0, True),
}
_HINTS: Mapping[str, str] = {
    "temperature": "for the likeliest tokens set 'do_sample' to false instead",
}


def refuse(field: str, what: str, remedy: str) -> InvalidRequest:
    """Return the error about the parameter `field`: what is wrong with it, and what helps."""
    return InvalidRequest(
        f"'parameters.{field}' {what}; {remedy}.", details={"field": f"parameters.{field}"}
    )


def parse_options(values: Mapping[str, object]) -> GenerationOptions:
    """Turn JSON's values into options.

    Raises UnknownParameter for a name that is none, InvalidRequest for what cannot be meant.
    """
    known = {each.name for each in fields(GenerationOptions)}
    for name in values:
        if name not in known:
            raise UnknownParameter(
                f"'parameters.{name}' is not known here. Remove it or check its spelling; "
                f"known are: {', '.join(sorted(known))}.",
                details={"field": f"parameters.{name}"},
            )
    stop = values.get("stop")
    if isinstance(stop, str):
        values = {**values, "stop": [stop]}
    try:
        return msgspec.convert(dict(values), GenerationOptions)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `$")
        field = place.strip(".`").split("[")[0]
        name = f"parameters.{field}" if field else "parameters"
        raise InvalidRequest(f"In {name!r}: {reason}.", details={"field": name}) from None


def _check_integer(name: str, value: int | None, low: int, high: int) -> None:
    if value is not None and (isinstance(value, bool) or not low <= value <= high):
        raise refuse(name, f"is {value}", f"send a whole number from {low} to {high}")


def _check_number(
    name: str, value: float | None, low: float, high: float, allows_low: bool
) -> None:
    if value is None:
        return
    is_inside = (low <= value if allows_low else low < value) and value <= high
    if not (math.isfinite(value) and is_inside):
        edge = "from" if allows_low else "more than"
        hint = _HINTS.get(name, "or leave it out for the model's own")
        raise refuse(name, f"is {value}", f"send a number {edge} {low:g} to {high:g}, {hint}")
