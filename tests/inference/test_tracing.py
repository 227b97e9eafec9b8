"""A trace is used where it equals the eager model on shapes it has not seen, and only there."""

from uuid import uuid4

import pytest
import torch

from inference.runtimes import tracing
from inference.runtimes.tracing import traced
from tests.inference.test_text_classification import load
from tests.inference.tiny import save_tiny

NAMES = ("input_ids", "attention_mask")


@pytest.mark.parametrize("architecture", ["bert", "distilbert", "roberta", "electra"])
def test_common_architectures_are_traced(tmp_path, architecture):
    _, runtime = load(save_tiny(tmp_path, architecture))
    assert runtime.is_traced


def test_a_model_that_bakes_its_example_in_stays_eager():
    def forward(inputs):
        # A Python number: the trace keeps the example's, whatever batch comes.
        longest = int(inputs["attention_mask"].sum(dim=1).max())
        value = inputs["input_ids"].float().sum(dim=1, keepdim=True) * longest
        return value, value

    assert traced(torch.nn.Identity(), forward, NAMES, n_ids=50, kind=uuid4().hex) is None


def test_a_model_that_cannot_be_traced_stays_eager():
    def forward(inputs):
        raise RuntimeError("no")

    assert traced(torch.nn.Identity(), forward, NAMES, n_ids=50, kind=uuid4().hex) is None


def test_a_graph_answers_for_every_shape():
    layer = torch.nn.Embedding(50, 4).requires_grad_(False)

    def forward(inputs):
        states = layer(inputs["input_ids"]) * inputs["attention_mask"].unsqueeze(-1)
        return states.sum(dim=1), states.amax(dim=1)

    graph = traced(layer, forward, NAMES, n_ids=50, kind=uuid4().hex)
    assert graph is not None
    for n, longest in [(1, 1), (7, 3), (2, 60)]:
        inputs = {name: torch.ones(n, longest, dtype=torch.long) for name in NAMES}
        assert [tuple(out.shape) for out in graph(inputs)] == [(n, 4), (n, 4)]
        assert torch.allclose(graph(inputs)[0], forward(inputs)[0])


def test_versions_of_one_configuration_share_a_trace_and_no_weights(tmp_path, monkeypatch):
    recorded = []
    record = tracing._record
    monkeypatch.setattr(tracing, "_graphs", {})
    monkeypatch.setattr(tracing, "_record", lambda *args: recorded.append(1) or record(*args))
    views = [save_tiny(tmp_path / str(seed), seed=seed) for seed in (1, 2)]
    loaded = [load(view) for view in (*views, views[0])]
    answers = []
    for task, runtime in loaded:
        pieces = task.encode(["a warm film"], task.defaults, short=True)
        answers.append(runtime.forward(pieces)[0].logits)
        assert runtime.is_traced
    assert len(recorded) == 1
    assert answers[0] == pytest.approx(answers[2])
    assert answers[0] != pytest.approx(answers[1], abs=1e-3)


def test_of_a_model_that_is_gone_no_weights_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(tracing, "_graphs", {})
    _, runtime = load(save_tiny(tmp_path))
    del runtime
    (graph,) = tracing._graphs.values()
    assert sum(tensor.numel() for _, tensor in tracing._tensors(graph)) == 0
