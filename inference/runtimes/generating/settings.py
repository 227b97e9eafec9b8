"""From a caller's options to the settings that `generate` itself would run with.

What counts, strongest first: what the caller asked for; `task_specific_params` of the model's
config for the task; `generation_config.json`; what transformers' pipelines have for the task; what
transformers has for everybody. A stronger length replaces a weaker one, in whatever unit.
"""

import copy
from collections.abc import Mapping
from typing import Any

from transformers import GenerationConfig

from inference.generation.options import BEAMS, SAMPLING, GenerationOptions, refuse

# As transformers 4.57's pipelines had them; the one for text-generation is in 5 as well.
_OF_TASKS: Mapping[str, Mapping[str, object]] = {
    "summarization": {"max_new_tokens": 256, "num_beams": 4},
    "translation": {"max_new_tokens": 256, "num_beams": 4},
    "text2text-generation": {"max_new_tokens": 256, "num_beams": 4},
    "text-generation": {"max_new_tokens": 256, "do_sample": True, "temperature": 0.7},
}
# Settings of a model that would make another algorithm out of it; the loop and the beams run none
# of these.
_UNSUPPORTED = (
    "assistant_early_exit",
    "constraints",
    "force_words_ids",
    "guidance_scale",
    "penalty_alpha",
    "prompt_lookup_num_tokens",
    "watermarking_config",
)


def resolve(
    config: Any,
    defaults: GenerationConfig,
    options: GenerationOptions,
    *,
    task: str | None,
    n_start: int,
    forced_bos_token_id: int | None,
    is_streaming: bool,
) -> GenerationConfig:
    """Return `options` with all defaults filled in, lengths in new tokens.

    `config` is the model's, `defaults` its generation_config.json.

    Raises InvalidRequest for what contradicts the defaults that it meets.
    """
    given = options.given()
    layers: list[Mapping[str, Any]] = [
        _everybodys(),
        {} if task is None else _OF_TASKS.get(base_task(task), {}),
        {k: v for k, v in defaults.to_dict().items() if v is not None},
        _task_params(config, task),
        {} if forced_bos_token_id is None else {"forced_bos_token_id": forced_bos_token_id},
        given,
    ]
    merged: dict[str, Any] = {}
    for layer in layers:
        _drop_weaker_lengths(merged, layer)
        merged.update(layer)
    _settle_mode(merged, options, is_streaming=is_streaming)
    _check(merged, given)
    made = copy.deepcopy(defaults)
    made.update(**merged)  # type: ignore[no-untyped-call]
    for name in ("max_new_tokens", "max_length", "min_new_tokens", "min_length"):
        setattr(made, name, merged.get(name))
    _set_lengths(made, n_start, given)
    return made


def without_lengths(config: GenerationConfig) -> GenerationConfig:
    """Return a copy that says nothing of how long texts get."""
    made = copy.deepcopy(config)
    made.max_new_tokens = made.max_length = made.min_new_tokens = made.min_length = None
    return made


def base_task(task: str) -> str:
    """`translation_en_to_de` is a translation."""
    return "translation" if task.startswith("translation") else task


def task_prefix(config: Any, task: str | None) -> str:
    """Return what the model wants before each text for this task."""
    prefix = _raw_task_params(config, task).get("prefix")
    prefix = prefix if prefix is not None else getattr(config, "prefix", None)
    return str(prefix or "")


def _everybodys() -> dict[str, Any]:
    params = GenerationConfig._get_default_generation_params()
    lengths = ("max_length", "min_length")
    return {name: value for name, value in params.items() if name not in lengths}


def _raw_task_params(config: Any, task: str | None) -> Mapping[str, Any]:
    params = getattr(config, "task_specific_params", None) or {}
    found = params.get(task) if task is not None else None
    return found if isinstance(found, dict) else {}


def _task_params(config: Any, task: str | None) -> dict[str, Any]:
    params = _raw_task_params(config, task)
    return {name: value for name, value in params.items() if name != "prefix" and value is not None}


def _drop_weaker_lengths(merged: dict[str, Any], layer: Mapping[str, Any]) -> None:
    for pair in (("max_new_tokens", "max_length"), ("min_new_tokens", "min_length")):
        if any(layer.get(name) is not None for name in pair):
            for name in pair:
                merged.pop(name, None)


def _settle_mode(merged: dict[str, Any], options: GenerationOptions, *, is_streaming: bool) -> None:
    """Let what the caller said of beams and sampling rule out a default of the other kind."""
    wants = options.wants_sampling
    if options.num_beams is None and (wants or is_streaming or options.stop):
        merged["num_beams"] = 1
    if wants is not None:
        merged["do_sample"] = wants
    elif (merged.get("num_beams") or 1) > 1:
        merged["do_sample"] = False


def _check(merged: Mapping[str, Any], given: Mapping[str, object]) -> None:
    num_beams, n = merged["num_beams"], merged["num_return_sequences"]
    if num_beams > 1 and n > num_beams:
        raise refuse("num_return_sequences", f"({n}) is more than 'num_beams'", "raise 'num_beams'")
    if num_beams == 1 and n > 1 and not merged["do_sample"]:
        raise refuse(
            "num_return_sequences",
            "would give equal texts without sampling",
            "set 'do_sample' to true or raise 'num_beams'",
        )
    for name in BEAMS:
        if num_beams == 1 and name in given:
            raise refuse(name, "has no effect with one beam", "raise 'num_beams' or leave it out")
    for name in SAMPLING:
        if not merged["do_sample"] and name in given:
            raise refuse(name, "has no effect without sampling", "set 'do_sample' to true")


def _set_lengths(config: GenerationConfig, n_start: int, given: Mapping[str, object]) -> None:
    """Turn total lengths into numbers of new tokens.

    A caller's total that the prompt has reached already is refused; a default one leaves a token.
    """
    if config.max_new_tokens is None:
        # What nobody has set is 20 new tokens in transformers, too, not 20 in all.
        is_default = config.max_length is None
        config.max_new_tokens = 20 if is_default else config.max_length - n_start
        if config.max_new_tokens < 1:
            if "max_length" in given:
                raise refuse(
                    "max_length",
                    f"({config.max_length}) is not more than the {n_start} tokens of the prompt",
                    "raise it or send 'max_new_tokens'",
                )
            config.max_new_tokens = 1
    if config.min_new_tokens is None:
        config.min_new_tokens = max(0, (config.min_length or 0) - n_start)
    config.max_length, config.min_length = None, 0


def refuse_unsupported(config: GenerationConfig) -> None:
    """Raise ValueError for a model that asks for an algorithm that is not served."""
    for name in _UNSUPPORTED:
        value = getattr(config, name, None)
        if value is not None and value != 1:
            raise ValueError(f"generation_config.json sets {name}, which is not served here")
    if (getattr(config, "num_beam_groups", None) or 1) > 1:
        raise ValueError("generation_config.json sets num_beam_groups, which is not served here")
