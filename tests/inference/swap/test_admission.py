"""What does not fit is refused before a byte of it is loaded."""

import pytest

from inference.swap.admission import HEADROOM_BYTES, Memory, admit, estimate, weigh
from inference.swap.memory import read_memory, read_rss, release
from inference.swap.states import CannotServe

MB = 1024**2


def header(**tensors: tuple[str, int]) -> dict:
    found, at = {"__metadata__": {"format": "pt"}}, 0
    for name, (dtype, n_bytes) in tensors.items():
        found[name] = {"dtype": dtype, "shape": [], "data_offsets": [at, at + n_bytes]}
        at += n_bytes
    return found


@pytest.mark.parametrize(
    ("stored", "runs_as", "factor"),
    [
        ("F16", "float32", 2),
        ("F32", "float32", 1),
        ("F32", "bfloat16", 0.5),
        ("BF16", "float16", 1),
    ],
)
def test_weights_count_in_the_format_they_run_in(stored, runs_as, factor):
    assert weigh(header(a=(stored, 400), b=(stored, 600)), runs_as) == 1000 * factor


def test_whole_numbers_stay_as_they_are():
    assert weigh(header(ids=("I64", 80), w=("F16", 10)), "float32") == 100


def test_a_model_that_fits_just_so_is_admitted():
    memory = Memory(limit=1000 * MB, used=500 * MB, where="cgroup")
    admitted = admit(memory, 500 * MB - HEADROOM_BYTES)
    assert admitted.facts()["limit_of"] == "cgroup"


def test_one_byte_more_is_refused_with_the_figures():
    memory = Memory(limit=1000 * MB, used=500 * MB, where="cgroup")
    with pytest.raises(CannotServe) as caught:
        admit(memory, 500 * MB - HEADROOM_BYTES + 1)
    assert caught.value.code == "does_not_fit"
    assert caught.value.is_final
    assert "524 MB of 1049 MB (cgroup)" in caught.value.message


def test_the_estimate_has_copies_and_what_the_last_load_needed_beyond():
    assert estimate(100, copies=2.0, overhead=7) == 207


def test_this_machine_says_how_much_there_is():
    memory = read_memory()
    assert 0 < memory.used < memory.limit
    assert read_rss() > 10 * MB


def test_a_set_limit_counts_this_process_alone():
    memory = read_memory(20 * MB)
    assert memory.limit == 20 * MB
    assert memory.where == "BELLWETHER_MEMORY_LIMIT_BYTES"


def test_what_is_let_go_is_given_back():
    # What other tests in this process have let go would be used again, and not grow it.
    _, before = release()
    held = [bytes([n % 251]) * 4096 for n in range(20_000)]
    assert read_rss() > before + 60 * MB
    del held
    _, after = release()
    assert after < before + 30 * MB
