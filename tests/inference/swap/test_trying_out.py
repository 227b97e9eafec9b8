"""Smoke and golden inputs, on real tiny models and on ones made to misbehave."""

import numpy as np
import pytest

from inference.predictor import Predictor
from inference.runtimes.ports import Placement
from inference.runtimes.torch import TorchRuntime
from inference.swap import warming
from inference.swap.golden import check_golden, check_smoke, make_golden
from inference.swap.inputs import EDGES, GOLDEN_INPUTS
from inference.swap.states import CannotServe
from inference.tasks.ports import Forwarded
from inference.tasks.text_classification import TextClassification
from registry.golden import GoldenCase, GoldenSpec
from tests.inference.doubles import LABELS, a_predictor, a_spec
from tests.inference.tiny import save_tiny


def real(directory, seed: int, architecture: str = "bert") -> Predictor:
    from dataclasses import replace

    view = save_tiny(directory / f"{architecture}-{seed}", architecture, seed=seed)
    spec = replace(a_spec(seed), view=view)
    task = TextClassification(view, LABELS)
    placement = Placement(device="cpu", dtype="float32", n_cores=1)
    runtime = TorchRuntime(spec, placement, task.tokenizer.form)
    return Predictor(spec=spec, task=task, runtime=runtime)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {seed: real(folder, seed) for seed in (1, 2)}


def test_inputs_are_many_and_of_many_scripts():
    assert len(set(GOLDEN_INPUTS)) >= 8
    assert sum(not text.isascii() for text in GOLDEN_INPUTS) >= 6
    assert {"empty", "emoji", "long"} <= set(EDGES)


def test_a_sound_model_passes_and_says_what_was_seen(models):
    assert check_smoke(models[1])["smoke_tokens"]["long"] == 64
    found = check_golden(models[1], make_golden(models[1]))
    assert found["golden_cases"] == len(GOLDEN_INPUTS)
    assert found["golden_worst"] < 1e-4


def test_another_models_answers_do_not_pass(models):
    with pytest.raises(CannotServe) as caught:
        check_golden(models[2], make_golden(models[1]))
    assert caught.value.code == "golden_failed"
    assert "case 0" in caught.value.message


def test_given_cases_need_no_scores(models):
    made = make_golden(models[1])
    labels_only = GoldenSpec(cases=tuple(GoldenCase(c.input, c.label) for c in made.cases))
    check_golden(models[1], labels_only)
    wrong = "NEGATIVE" if made.cases[0].label == "POSITIVE" else "POSITIVE"
    with pytest.raises(CannotServe, match=f"instead of {wrong}"):
        check_golden(models[1], GoldenSpec(cases=(GoldenCase(GOLDEN_INPUTS[0], wrong),)))


class Twisted:
    """A runtime whose answers are changed on their way out."""

    device = "fake"

    def __init__(self, twist) -> None:
        self._inner, self._twist = a_predictor().runtime, twist

    def forward(self, batch):
        return self._twist(self._inner.forward(batch))


def twisted(twist) -> Predictor:
    sound = a_predictor()
    return Predictor(spec=sound.spec, task=sound.task, runtime=Twisted(twist))


@pytest.mark.parametrize(
    ("twist", "problem"),
    [
        (lambda out: [Forwarded(o.logits * np.nan, o.embedding) for o in out], "finite"),
        (lambda out: [Forwarded(o.logits, o.embedding / 0) for o in out], "finite"),
        (lambda out: [Forwarded(np.zeros(3, np.float32), o.embedding) for o in out], "3 logits"),
        (lambda out: 1 / 0, "division"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_model_that_talks_nonsense_fails_the_smoke_test(twist, problem):
    with pytest.raises(CannotServe, match=problem) as caught:
        check_smoke(twisted(twist))
    assert caught.value.code == "smoke_failed"


def test_an_answer_that_depends_on_its_batch_fails():
    def biased(out):
        push = np.array([0, len(out) - 1], np.float32)
        return [Forwarded(o.logits + push, o.embedding) for o in out]

    predictor = twisted(biased)
    with pytest.raises(CannotServe, match="batched"):
        check_golden(predictor, make_golden(predictor))


def test_reduced_precision_gets_a_wider_tolerance(models):
    made = make_golden(models[1])
    off = tuple(
        GoldenCase(c.input, c.label, {name: s + 0.01 for name, s in c.scores.items()})
        for c in made.cases
    )
    with pytest.raises(CannotServe):
        check_golden(models[1], GoldenSpec(cases=off))

    class Reduced:
        device = "cuda:0 bfloat16"
        forward = staticmethod(models[1].runtime.forward)

    there = Predictor(spec=models[1].spec, task=models[1].task, runtime=Reduced())
    assert check_golden(there, GoldenSpec(cases=off))["golden_tolerance"] > 0.02


class Slowing:
    """A clock under which passes take the seconds given, one after another."""

    def __init__(self, *seconds: float) -> None:
        self._ticks, self.now = iter(seconds), 0.0
        self.is_in_pass = False

    def __call__(self) -> float:
        return self.now

    def forward(self, batch):
        self.now += next(self._ticks)
        return []


def warmed(*seconds: float, **options):
    clock = Slowing(*seconds)
    sound = a_predictor()
    predictor = Predictor(spec=sound.spec, task=sound.task, runtime=clock)
    return warming.warm_up(predictor, shapes=((1, 4),), clock=clock, **options)


def test_warming_up_ends_once_passes_are_steady():
    found = warmed(0.9, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1)
    assert found["warm_is_steady"]
    assert found["warm_rounds"] == 5
    assert (found["warm_first_p95_s"], found["warm_p95_s"]) == (0.9, 0.1)


def test_warming_up_ends_with_its_budget_however_unsteady():
    found = warmed(*[0.1, 0.9] * 10, budget_s=2.0)
    assert not found["warm_is_steady"]
    assert found["warm_s"] < 3.0
