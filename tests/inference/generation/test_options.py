"""What may be asked of a generation, and how a wrong wish is refused."""

from typing import Any

import pytest

from inference.errors import InvalidRequest, UnknownParameter
from inference.generation.options import GenerationOptions, parse_options


def test_options_come_from_json() -> None:
    options = parse_options({"max_new_tokens": 5, "top_p": 0.5, "stop": ["a", "b"], "seed": 1})
    assert options == GenerationOptions(max_new_tokens=5, top_p=0.5, stop=("a", "b"), seed=1)


def test_one_stop_text_needs_no_list() -> None:
    assert parse_options({"stop": "END"}).stop == ("END",)


def test_a_sampling_field_means_sampling() -> None:
    assert GenerationOptions(temperature=0.5).wants_sampling
    assert GenerationOptions().wants_sampling is None
    assert GenerationOptions(do_sample=False).wants_sampling is False


def test_an_unknown_option_is_named_with_those_that_exist() -> None:
    with pytest.raises(UnknownParameter, match=r"max_tokens.*max_new_tokens") as caught:
        parse_options({"max_tokens": 5})
    assert caught.value.details == {"field": "parameters.max_tokens"}


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"max_new_tokens": "five"}, "max_new_tokens"),
        ({"temperature": 0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_p": 1.5}, "top_p"),
        ({"top_k": 0}, "top_k"),
        ({"typical_p": -1}, "typical_p"),
        ({"repetition_penalty": 0}, "repetition_penalty"),
        ({"no_repeat_ngram_size": -1}, "no_repeat_ngram_size"),
        ({"seed": -1}, "seed"),
        ({"num_beams": 1000}, "num_beams"),
        ({"early_stopping": "sometimes"}, "early_stopping"),
        ({"stop": [""]}, "stop"),
        ({"stop": ["x"] * 9}, "stop"),
        ({"stop": ["x" * 1000]}, "stop"),
        ({"max_new_tokens": 5, "max_length": 9}, "max_length"),
        ({"min_new_tokens": 5, "min_length": 9}, "min_length"),
        ({"min_new_tokens": 5, "max_new_tokens": 4}, "min_new_tokens"),
        ({"min_length": 5, "max_length": 4}, "min_length"),
        ({"do_sample": False, "top_k": 5}, "top_k"),
        ({"num_beams": 4, "do_sample": True}, "num_beams"),
        ({"num_beams": 4, "temperature": 0.7}, "num_beams"),
        ({"num_beams": 4, "stop": ["x"]}, "stop"),
    ],
)
def test_what_cannot_be_meant_names_its_field(values: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_options(values)
    assert caught.value.details["field"].startswith(f"parameters.{field}")
    assert field in caught.value.message
