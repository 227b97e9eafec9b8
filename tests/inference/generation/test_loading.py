"""What a directory must be like to make text, and what loading it never does."""

import json
from pathlib import Path

import pytest

from inference.generation.limits import GenerationLimits
from inference.runtimes.generating.loading import load_generator
from tests.inference.generation.conftest import CPU
from tests.inference.tiny_generators import POSITIONS, save_generator


def test_a_causal_model_and_an_encoder_decoder_are_told_apart(tmp_path: Path) -> None:
    causal = load_generator(save_generator(tmp_path / "a", "gpt2"), CPU).model
    seq2seq = load_generator(save_generator(tmp_path / "b", "t5"), CPU).model
    assert (causal.is_encoder_decoder, causal.can_merge) == (False, True)
    assert (seq2seq.is_encoder_decoder, seq2seq.can_merge) == (True, False)
    assert causal.device == "cpu float32"


def test_prompts_are_bounded_by_positions_and_by_limits(tmp_path: Path) -> None:
    limits = GenerationLimits(max_prompt_tokens=50)
    assert load_generator(save_generator(tmp_path / "a", "gpt2"), CPU).model.max_prompt_tokens == (
        POSITIONS - 1
    )
    assert load_generator(tmp_path / "a", CPU, limits).model.max_prompt_tokens == 50
    assert (
        load_generator(save_generator(tmp_path / "b", "t5"), CPU, limits).prompts.max_tokens == 50
    )


@pytest.mark.parametrize(
    ("family", "n_bytes"),
    [("gpt2", 2 * 2 * 32 * 4), ("llama", 2 * 2 * 16 * 4), ("t5", 2 * 2 * 32 * 4)],
)
def test_a_column_of_the_cache_has_its_size(tmp_path: Path, family: str, n_bytes: int) -> None:
    assert load_generator(save_generator(tmp_path, family), CPU).model.cache_bytes_per_token == (
        n_bytes
    )


def test_weights_that_are_no_safetensors_are_refused(tmp_path: Path) -> None:
    save_generator(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(OSError, match="safetensors"):
        load_generator(tmp_path, CPU)


def test_an_algorithm_that_is_not_served_is_refused(tmp_path: Path) -> None:
    save_generator(tmp_path)
    file = tmp_path / "generation_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "penalty_alpha": 0.6}))
    with pytest.raises(ValueError, match="penalty_alpha"):
        load_generator(tmp_path, CPU)


def test_a_recurrent_state_is_refused(tmp_path: Path) -> None:
    save_generator(tmp_path, "mamba", state_size=4, num_hidden_layers=1, hidden_size=32)
    with pytest.raises(ValueError, match="mamba"):
        load_generator(tmp_path, CPU)
