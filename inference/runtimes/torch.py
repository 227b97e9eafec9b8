"""Models in PyTorch: one forward pass gives the logits and the pooled embedding.

Loads safetensors only, never remote code, never from the network.
"""

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTextEncoding,
    AutoModelForTokenClassification,
)
from transformers.utils import logging as transformers_logging

from inference.runtimes.cores import CORES
from inference.runtimes.ports import Placement
from inference.runtimes.tracing import Forward, Inputs, traced
from inference.tasks.ports import POOLED, Encoded, Floats, Forwarded, Head, InputForm
from registry.specs import Pooling, VersionSpec

# A bar for each load means nothing in a server's log.
transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
_LOADERS = {
    Head.LABELS: AutoModelForSequenceClassification,
    Head.TOKENS: AutoModelForTokenClassification,
    Head.SPANS: AutoModelForQuestionAnswering,
    Head.MASKS: AutoModelForMaskedLM,
    Head.STATES: AutoModel,
}
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

    def __init__(
        self,
        spec: VersionSpec,
        placement: Placement,
        form: InputForm,
        head: Head = Head.LABELS,
    ) -> None:
        self._device = torch.device(placement.device)
        self._dtype = _DTYPES[placement.dtype]
        self._form, self._head = form, head
        self._n_cores = placement.n_cores
        self.is_traced = False
        self._run = self._load(spec)

    def _load(self, spec: VersionSpec) -> Forward:
        local = {"local_files_only": True, "trust_remote_code": False}
        config = AutoConfig.from_pretrained(spec.view, **local)
        refuse_sparse(config)
        model = _loader(self._head, config).from_pretrained(
            spec.view,
            **local,
            use_safetensors=True,
            dtype=self._dtype,
        )
        model.requires_grad_(False).eval().to(self._device)
        eager = _eager(model, spec.pooling, self._head)
        if self._device.type != "cpu":
            return eager
        # What the same configuration makes differs in its weights only, wherever it lies.
        said = {k: v for k, v in model.config.to_dict().items() if not k.startswith("_")}
        kind = repr((type(model), self._head, spec.pooling, self._dtype, self._form, said))
        n_ids = model.config.vocab_size
        graph = traced(model, eager, self._form.names, n_ids=n_ids, kind=kind)
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
            output, pooled = self._run(inputs)
            logits, embeddings = self._cut(output, batch), _numpy(pooled)
        return [Forwarded(logits[i], embeddings[i]) for i in range(len(batch))]

    def _cut(self, output: torch.Tensor, batch: Sequence[Encoded]) -> Sequence[Floats]:
        """Each text's own rows of `output`, whose second axis is tokens for some heads."""
        if self._head in (Head.LABELS, Head.STATES):
            return list(_numpy(output))
        longest = output.shape[1]
        begins = [longest - each.n_tokens if self._form.pads_left else 0 for each in batch]
        if self._head is Head.MASKS:
            # Before it leaves the device: a row is as wide as the vocabulary.
            return [
                _numpy(output[row, [begins[row] + place for place in each.places]])
                for row, each in enumerate(batch)
            ]
        whole = _numpy(output)
        return [whole[i, begins[i] : begins[i] + each.n_tokens] for i, each in enumerate(batch)]


def _loader(head: Head, config: Any) -> Any:
    """Return the class that loads a model; of T5's kind, embeddings need no decoder."""
    is_half = config.is_encoder_decoder and type(config) in AutoModelForTextEncoding._model_mapping
    return AutoModelForTextEncoding if head is Head.STATES and is_half else _LOADERS[head]


def _eager(model: Any, pooling: Pooling, head: Head) -> Forward:
    """Return the forward pass that gives what `head` says [n, …] and pooled embeddings
    [n, hidden].
    """
    extra = {"output_hidden_states": True, "return_dict": True}
    if "use_cache" in inspect.signature(model.forward).parameters:
        extra["use_cache"] = False
    if head is Head.LABELS and hasattr(model, "score") and not _has_pad(model.config):
        return _reading_last(model, pooling, extra)

    def forward(inputs: Inputs) -> tuple[torch.Tensor, torch.Tensor]:
        output, mask = model(**inputs, **extra), inputs["attention_mask"]
        if head is Head.STATES:
            ways = [pool(output.last_hidden_state, mask, Pooling(way)) for way in POOLED]
            return torch.stack(ways, dim=1), ways[POOLED.index(pooling)]
        # Encoder-decoders have no hidden states but those of their halves.
        states = output.get("hidden_states") or [output.get("encoder_last_hidden_state")]
        embedding = pool(states[-1], mask, pooling)
        if head is Head.SPANS:
            return torch.stack((output.start_logits, output.end_logits), dim=-1), embedding
        return output.logits, embedding

    return forward


def _reading_last(model: Any, pooling: Pooling, extra: dict[str, Any]) -> Forward:
    """Return the forward pass of a causal classifier that has no pad token.

    transformers reads the last column then, and takes one text at a time.
    """

    def forward(inputs: Inputs) -> tuple[torch.Tensor, torch.Tensor]:
        states, mask = (
            model.base_model(**inputs, **extra).last_hidden_state,
            inputs["attention_mask"],
        )
        rows = torch.arange(len(mask), device=mask.device)
        return model.score(states[rows, mask.sum(dim=1) - 1]), pool(states, mask, pooling)

    return forward


def _has_pad(config: Any) -> bool:
    pad_id = getattr(config.get_text_config(), "pad_token_id", None)
    return pad_id is not None and pad_id >= 0


def refuse_sparse(config: Any) -> None:
    """Raise ValueError for BigBird's attention, which is another one once a batch was short."""
    if getattr(config, "attention_type", None) == "block_sparse":
        raise ValueError(
            "its attention is block-sparse or not by the longest text of a batch; set "
            '"attention_type": "original_full" in config.json'
        )


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

    `cls` takes each text's first real token (the first column may be padding when padding is left),
    `last` its last one.
    """
    if pooling is Pooling.LAST:
        columns = torch.arange(mask.shape[1], device=mask.device)
        last = (mask * columns).argmax(dim=1)
        return states[torch.arange(states.shape[0], device=states.device), last]
    if pooling is Pooling.CLS:
        first = mask.argmax(dim=1)
        return states[torch.arange(states.shape[0], device=states.device), first]
    real = mask.unsqueeze(-1).to(states.dtype)
    if pooling is Pooling.MEAN:
        return (states.float() * real.float()).sum(dim=1) / real.float().sum(dim=1)
    return states.masked_fill(real == 0, float("-inf")).amax(dim=1)
