import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.engine.cost import CostModel


def learn(*batches: tuple[int, float]) -> CostModel:
    """A model that saw (padded tokens, seconds)."""
    model = CostModel()
    for tokens, seconds in batches:
        model.observe(padded_tokens=tokens, real_tokens=tokens, seconds=seconds)
    return model


def drain(model: CostModel, n_entries: int, n_tokens: int) -> float:
    return model.predict_drain(n_entries, n_tokens, max_batch=8, max_batch_tokens=1000)


def test_nothing_measured_predicts_nothing() -> None:
    model = CostModel()
    assert model.predict(1000) == 0.0
    assert drain(model, 10, 1000) == 0.0


def test_a_straight_line_is_found() -> None:
    model = learn(*[(tokens, 0.002 + 1e-5 * tokens) for tokens in (10, 200, 50, 900)])
    assert model.predict(0) == pytest.approx(0.002)
    assert model.predict(500) == pytest.approx(0.007)


def test_batches_of_one_size_teach_a_proportion() -> None:
    model = learn((100, 0.01), (100, 0.01))
    assert model.predict(200) == pytest.approx(0.02)


def test_noise_averages_out() -> None:
    chance = random.Random(5)
    sizes = [chance.randint(10, 2000) for _ in range(400)]
    model = learn(*[(x, (0.003 + 2e-5 * x) * chance.uniform(0.9, 1.1)) for x in sizes])
    assert model.predict(1000) == pytest.approx(0.023, rel=0.1)


def test_a_slow_first_batch_is_forgotten() -> None:
    model = learn((10, 30.0), *[(tokens, 1e-5 * tokens) for tokens in range(10, 310)])
    assert model.predict(300) == pytest.approx(0.003, rel=0.05)


def test_a_machine_that_slows_down_is_noticed() -> None:
    model = learn(
        *[(x, 1e-5 * x) for x in range(100, 200)], *[(x, 3e-5 * x) for x in range(100, 200)]
    )
    assert model.predict(150) == pytest.approx(0.0045, rel=0.1)


@given(st.lists(st.tuples(st.integers(1, 10_000), st.floats(0, 100)), min_size=1, max_size=50))
def test_a_prediction_is_never_negative_and_never_shrinks_with_size(
    batches: list[tuple[int, float]],
) -> None:
    model = learn(*batches)
    assert 0 <= model.predict(0) <= model.predict(100) <= model.predict(10_000)


def test_draining_pays_the_fixed_part_once_a_batch() -> None:
    model = learn(*[(tokens, 0.01 + 1e-5 * tokens) for tokens in (10, 200, 50, 900)])
    assert drain(model, 16, 100) == pytest.approx(2 * 0.01 + 100e-5)
    assert drain(model, 16, 5000) == pytest.approx(5 * 0.01 + 5000e-5)


def test_draining_expects_the_padding_there_was_lately() -> None:
    model = CostModel()
    model.observe(padded_tokens=200, real_tokens=100, seconds=0.2)
    assert drain(model, 1, 100) == pytest.approx(0.2)


def test_nothing_waiting_takes_no_time() -> None:
    assert drain(learn((10, 1.0), (20, 1.1)), 0, 0) == 0.0


@pytest.mark.parametrize("memory", [0.0, 1.0])
def test_a_memory_that_forgets_all_or_nothing_is_refused(memory: float) -> None:
    with pytest.raises(ValueError, match="memory"):
        CostModel(memory=memory)


def test_the_fixed_part_is_told_in_tokens() -> None:
    model = learn(*[(tokens, 0.002 + 1e-5 * tokens) for tokens in range(10, 200, 10)])
    assert model.fixed_tokens == pytest.approx(200)


@pytest.mark.parametrize(
    "batches",
    [[], [(10, 1.0), (20, 1.5)], [(10, 1.0)] * 30, [(10, 2.0), (20, 1.0)] * 15],
    ids=["unseen", "few", "one size", "longer is cheaper"],
)
def test_an_unknown_fixed_part_is_infinite(batches: list[tuple[int, float]]) -> None:
    assert learn(*batches).fixed_tokens == math.inf
