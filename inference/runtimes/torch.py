"""Models in PyTorch: one forward pass gives the logits and the pooled embedding.

Loads safetensors only, never remote code, never from the network.
"""

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification
from transformers.utils import logging as transformers_logging

from inference.runtimes.cores import CORES
from inference.runtimes.ports import Placement
from inference.runtimes.tracing import Forward, Inputs, traced
from inference.tasks.ports import Encoded, Floats, Forwarded, InputForm
from registry.specs import Pooling, VersionSpec

# A bar for each load means nothing in a server's log.
transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def resolve_placement(device: str, dtype: str, *, n_cores: int) -> Placement:
    """Turn the settings into a placement: `auto` takes a GPU if there is one.

    Raises ValueError when the device is asked for by name and is not there.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(
            f"BELLWETHER_DEVICE is {device}, but torch {torch.__version__} finds no CUDA device"
        )
    if dtype == "auto":
        dtype = "bfloat16" if device.startswith("cuda") else "float32"
    return Placement(device=device, dtype=dtype, n_cores=n_cores)


def default_lanes(device: str, n_cores: int) -> int:
    """Return how many forward passes run at once: a core each on CPU, two on a GPU to hide the
    launches.
    """
    return n_cores if device == "cpu" else 2


class TorchRuntime:
    """One version's model on one device; on a CPU traced into a graph if that changes nothing."""

    def __init__(self, spec: VersionSpec, placement: Placement, form: InputForm) -> None:
        self._device = torch.device(placement.device)
        self._dtype = _DTYPES[placement.dtype]
        self._form = form
        self._n_cores = placement.n_cores
        self.is_traced = False
        self._run = self._load(spec)

    def _load(self, spec: VersionSpec) -> Forward:
        model = AutoModelForSequenceClassification.from_pretrained(
            spec.view,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=self._dtype,
        )
        model.requires_grad_(False).eval().to(self._device)
        eager = _eager(model, spec.pooling)
        if self._device.type != "cpu":
            return eager
        graph = traced(model, eager, self._form.names, n_ids=model.config.vocab_size)
        self.is_traced = graph is not None
        return graph or eager

    @property
    def device(self) -> str:
        return f"{self._device} {str(self._dtype).removeprefix('torch.')}"

    @torch.inference_mode()
    def forward(self, batch: Sequence[Encoded]) -> list[Forwarded]:
        arrays = padded(batch, self._form)
        with CORES.share(self._n_cores):
            inputs = {
                name: torch.from_numpy(array).to(self._device, non_blocking=True)
                for name, array in arrays.items()
            }
            logits, embeddings = map(_numpy, self._run(inputs))
        return [Forwarded(logits[i], embeddings[i]) for i in range(len(batch))]


def _eager(model: Any, pooling: Pooling) -> Forward:
    """Return the forward pass that gives logits [n, labels] and pooled embeddings [n, hidden]."""
    extra = {"output_hidden_states": True, "return_dict": True}
    if "use_cache" in inspect.signature(model.forward).parameters:
        extra["use_cache"] = False

    def forward(inputs: Inputs) -> tuple[torch.Tensor, torch.Tensor]:
        output = model(**inputs, **extra)
        return output.logits, pool(output.hidden_states[-1], inputs["attention_mask"], pooling)

    return forward


def _numpy(tensor: torch.Tensor) -> Floats:
    result: Floats = tensor.float().cpu().numpy()
    return result


def padded(batch: Sequence[Encoded], form: InputForm) -> dict[str, Any]:
    """Return int64 arrays [n, longest] under the names of `form`."""
    longest = max(encoded.n_tokens for encoded in batch)
    arrays = {name: np.zeros((len(batch), longest), dtype=np.int64) for name in form.names}
    arrays["input_ids"].fill(form.pad_id)
    for row, encoded in enumerate(batch):
        n = encoded.n_tokens
        place = slice(longest - n, longest) if form.pads_left else slice(0, n)
        arrays["input_ids"][row, place] = encoded.ids
        arrays["attention_mask"][row, place] = 1
        if form.has_types:
            arrays["token_type_ids"][row, place] = encoded.type_ids or 0
    return arrays


def pool(states: torch.Tensor, mask: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """Reduce `states` [n, tokens, hidden] to [n, hidden] over `mask` [n, tokens].

    `cls` takes each text's first real token (the first column may be padding when padding is left).
    """
    if pooling is Pooling.CLS:
        first = mask.argmax(dim=1)
        return states[torch.arange(states.shape[0], device=states.device), first]
    real = mask.unsqueeze(-1).to(states.dtype)
    if pooling is Pooling.MEAN:
        return (states.float() * real.float()).sum(dim=1) / real.float().sum(dim=1)
    return states.masked_fill(real == 0, float("-inf")).amax(dim=1)
