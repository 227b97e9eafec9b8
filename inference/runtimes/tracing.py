"""One call instead of hundreds: a model traced into a graph that needs no Python between its steps.

Eager PyTorch takes and gives back Python's global lock around each of a transformer's hundreds of
small operations, so two lanes and the event loop stand in each other's way. A traced graph runs as
a whole. Tracing records what happened for one example, so a trace is only trusted after it has
given eager's own answers for batches of other shapes; otherwise the model stays eager.

TorchScript never gives back what a trace took beside the weights, some 20 MB for twelve layers. So
each kind of model is traced once in a process: its graph is kept without weights, and every load
gets a copy of it that uses the weights of the model loaded.
"""

import copy
import logging
import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch

log = logging.getLogger(__name__)

Inputs = Mapping[str, torch.Tensor]
Outputs = tuple[torch.Tensor, torch.Tensor]
Forward = Callable[[Inputs], Outputs]

# (texts, longest) of the example, then of the batches that a trace must answer as eager does.
EXAMPLE = (3, 11)
PROOFS = ((1, 4), (1, 19), (2, 11), (5, 7), (4, 32))
TOLERANCE = 1e-5


class _Module(torch.nn.Module):
    """The whole forward pass with positional tensors, which is what tracing takes."""

    def __init__(self, model: torch.nn.Module, names: tuple[str, ...], forward: Forward) -> None:
        super().__init__()
        self.model = model  # Registered, so that its weights belong to the graph.
        self._names, self._run = names, forward

    def forward(self, *tensors: torch.Tensor) -> Outputs:
        return self._run(dict(zip(self._names, tensors, strict=True)))


# By kind of model; None for one whose trace did not equal it.
_graphs: dict[str, Any] = {}
_lock = threading.Lock()


def traced(
    model: torch.nn.Module, forward: Forward, names: tuple[str, ...], *, n_ids: int, kind: str
) -> Forward | None:
    """Return `forward` as a graph, or None where the trace does not equal it.

    `names` are the inputs in order; ids below `n_ids` are used to try it out. Models of one `kind`
    differ in nothing but their weights.
    """
    module = _Module(model, names, forward).eval()
    try:
        with _lock:
            is_new = kind not in _graphs
            if is_new:
                _graphs[kind] = None
                _graphs[kind] = _without_weights(_record(module, names, n_ids))
            graph = _with_weights(_graphs[kind], module) if _graphs[kind] is not None else None
        if graph is None:
            return None
        with torch.inference_mode():
            shapes = PROOFS if is_new else PROOFS[:1]
            if all(_is_equal(graph, forward, _inputs(names, each, n_ids)) for each in shapes):
                return lambda inputs: graph(*(inputs[name] for name in names))
    except Exception as error:
        log.info("a model cannot be traced and stays eager: %s", error)
        return None
    log.info("a traced model answers differently from the eager one; it stays eager")
    _graphs[kind] = None
    return None


def _record(module: _Module, names: tuple[str, ...], n_ids: int) -> Any:
    with warnings.catch_warnings(), torch.inference_mode():
        # It warns of each Python branch, and that it is in maintenance: the proof decides.
        warnings.simplefilter("ignore")
        example = _inputs(names, EXAMPLE, n_ids)
        # Not frozen: that is a twentieth faster at best, and its weights stay for good.
        return torch.jit.trace(module, tuple(example.values()), check_trace=False)  # type: ignore[no-untyped-call]


def _without_weights(graph: Any) -> Any:
    """A copy of `graph` that holds no weights; its own are the model's, which goes on with them."""
    held = dict(_tensors(graph))
    kept = {name: tensor.data for name, tensor in held.items()}
    for tensor in held.values():
        tensor.data = torch.empty(0, dtype=tensor.dtype)
    bare = copy.deepcopy(graph)
    for name, tensor in held.items():
        tensor.data = kept[name]
    return bare


def _with_weights(graph: Any, module: _Module) -> Any:
    """A copy of `graph` that shares the weights of `module`."""
    own, made = dict(_tensors(module)), copy.deepcopy(graph)
    for name, tensor in _tensors(made):
        tensor.data = own[name].data
    return made


def _tensors(module: Any) -> list[tuple[str, torch.Tensor]]:
    """Parameters and buffers by name, shared ones under each of their names."""
    return [
        *module.named_parameters(remove_duplicate=False),
        *module.named_buffers(remove_duplicate=False),
    ]


def _is_equal(
    graph: Callable[..., Outputs], forward: Forward, inputs: dict[str, torch.Tensor]
) -> bool:
    pairs = zip(graph(*inputs.values()), forward(inputs), strict=True)
    return all(torch.allclose(one, other, rtol=0, atol=TOLERANCE) for one, other in pairs)


def _inputs(names: tuple[str, ...], shape: tuple[int, int], n_ids: int) -> dict[str, torch.Tensor]:
    """Return a batch of `shape` with padding in every row but the first, the same each time."""
    n, longest = shape
    ids = torch.arange(n * longest).reshape(shape) * 7 % n_ids
    lengths = longest - torch.arange(n).clamp(max=longest - 2)
    mask = (torch.arange(longest) < lengths.unsqueeze(1)).long()
    known = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
    return {name: known[name] for name in names}
