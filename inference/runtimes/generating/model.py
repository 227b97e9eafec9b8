"""A loaded generating model: `ports.GenerationModel` in PyTorch."""

from collections.abc import Container, Sequence
from typing import Any

import torch

from inference.errors import TextTooLong
from inference.generation.limits import GenerationLimits
from inference.generation.options import GenerationOptions, refuse
from inference.generation.ports import BeamInput, Plan, Prompt, Row
from inference.runtimes.company import refuse_apart
from inference.runtimes.generating import beams, causal, seq2seq
from inference.runtimes.generating.decoding import make_decode, special_ids
from inference.runtimes.generating.settings import resolve, without_lengths


class TorchGenerationModel:
    """One version's model and the decoding half of its tokenizer.

    `max_prompt_tokens` is what one prompt may have: the model's positions (one less for causal
    models, whose text continues it), or the limits' where the model has no bound of its own.
    """

    def __init__(
        self, model: Any, tokenizer: Any, limits: GenerationLimits, *, n_cores: int
    ) -> None:
        self._model = model
        self._defaults = model.generation_config
        # `generate` would fill them in where a search has none, and warn.
        model.generation_config = without_lengths(model.generation_config)
        self._limits = limits
        self._n_cores = n_cores
        self.is_encoder_decoder = bool(model.config.is_encoder_decoder)
        self.can_merge = not self.is_encoder_decoder
        self.special_ids: Container[int] = special_ids(tokenizer)
        self.decode = make_decode(tokenizer)
        self._pad_id = _pad_id(model, tokenizer)
        self._positions = _positions(model.config)
        known = self._positions if self.is_encoder_decoder else self._positions - 1
        self.max_prompt_tokens = min(known, limits.max_prompt_tokens)
        made = {"pad_id": self._pad_id, "n_cores": n_cores}
        self._causal = causal.CausalForward(model, **made)
        self._seq2seq = seq2seq.Seq2SeqForward(model, **made)

    @property
    def device(self) -> str:
        return f"{self._model.device} {str(self._model.dtype).removeprefix('torch.')}"

    @property
    def cache_bytes_per_token(self) -> int:
        config = self._model.config.get_text_config(decoder=True)
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        width = getattr(config, "head_dim", None) or getattr(config, "d_kv", None)
        width = width or config.hidden_size // config.num_attention_heads
        layers = getattr(config, "decoder_layers", None) or config.num_hidden_layers
        return int(2 * layers * heads * width * self._model.dtype.itemsize)

    def plan(self, prompt: Prompt, options: GenerationOptions, *, is_streaming: bool) -> Plan:
        n_start = 1 if self.is_encoder_decoder else prompt.n_tokens
        self._check_prompt(prompt)
        config = resolve(
            self._model.config,
            self._defaults,
            options,
            task=prompt.task,
            n_start=n_start,
            forced_bos_token_id=prompt.forced_bos_token_id,
            is_streaming=is_streaming,
        )
        self._check_limits(config, options)
        # A text ends where the model's positions do; that is reason `length`, no error.
        room = min(self._positions - n_start, self._limits.max_new_tokens)
        config.max_new_tokens = max(1, min(config.max_new_tokens, room))
        if config.min_new_tokens > config.max_new_tokens:
            if options.min_new_tokens is not None or options.min_length is not None:
                name = "min_length" if options.min_length is not None else "min_new_tokens"
                raise refuse(
                    name,
                    f"asks for {config.min_new_tokens} new tokens where at most "
                    f"{config.max_new_tokens} can be made",
                    f"lower {name!r} or shorten the prompt",
                )
            config.min_new_tokens = config.max_new_tokens
        config.pad_token_id = self._pad_id
        self._model._prepare_special_tokens(config, True, device=self._model.device, batch_size=1)
        # For processors that look at the end of the text; `generate` works it out in the same way.
        config.max_length = n_start + config.max_new_tokens
        return Plan(
            prompt=prompt,
            max_new_tokens=config.max_new_tokens,
            num_beams=config.num_beams,
            n_sequences=config.num_return_sequences,
            do_sample=bool(config.do_sample),
            stop=options.stop,
            settings=config,
        )

    def context(self, plan: Plan) -> Sequence[int]:
        return () if self.is_encoder_decoder else plan.prompt.ids[-CONTEXT_TOKENS:]

    def is_end(self, plan: Plan, token_id: int) -> bool:
        eos = plan.settings.eos_token_id
        return token_id in eos if isinstance(eos, list) else token_id == eos

    def prefill(self, rows: Sequence[Row]) -> Any:
        if not self.is_encoder_decoder:
            return causal.prefill(self._causal, rows)
        start = rows[0].plan.settings._decoder_start_token_tensor
        return seq2seq.prefill(self._seq2seq, rows, int(start.reshape(-1)[0]))

    def beam_key(self, plan: Plan) -> object:
        return beams.beam_key(plan, is_encoder_decoder=self.is_encoder_decoder)

    def beam(self, inputs: Sequence[BeamInput]) -> list[list[list[int]]]:
        return beams.search(self._model, inputs, pad_id=self._pad_id, n_cores=self._n_cores)

    @torch.inference_mode()
    def check_company(self, *, dtype: str) -> None:
        """Raise ValueError for a model that answers a prompt differently in company, or with what
        it keeps of earlier tokens.
        """
        forward = self._seq2seq if self.is_encoder_decoder else self._causal
        vocab = self._model.config.get_text_config(decoder=True).vocab_size
        ids = [(13 + 7 * at) % vocab for at in range(10)]
        texts = [ids[:3], ids[2:]]
        try:
            alone = [forward.whole(text) for text in texts]
            together = forward.stepped(texts)
        except Exception as error:
            raise ValueError(f"texts cannot share a forward pass of it: {error}") from error
        refuse_apart(
            [each.float().cpu().numpy() for each in alone],
            list(together.float().cpu().numpy()),
            dtype=dtype,
        )

    def _check_prompt(self, prompt: Prompt) -> None:
        if not prompt.n_tokens:
            raise TextTooLong("The prompt has no token; send some text.")
        if prompt.n_tokens > self.max_prompt_tokens:
            raise TextTooLong(
                f"The prompt has {prompt.n_tokens} tokens; this model takes "
                f"{self.max_prompt_tokens}. Shorten it, set 'parameters.truncation' to true, or "
                "let the text be split where the task allows it.",
                details={"limit": self.max_prompt_tokens, "n_tokens": prompt.n_tokens},
            )

    def _check_limits(self, config: Any, options: GenerationOptions) -> None:
        most = self._limits.max_new_tokens
        asked = options.max_new_tokens is not None or options.max_length is not None
        if asked and config.max_new_tokens > most:
            name = "max_length" if options.max_length is not None else "max_new_tokens"
            raise refuse(
                name, f"asks for {config.max_new_tokens} new tokens", f"{most} may be made"
            )
        if config.num_beams > self._limits.max_beams:
            if options.num_beams is not None:
                raise refuse(
                    "num_beams", f"is {config.num_beams}", f"at most {self._limits.max_beams} run"
                )
            config.num_beams = self._limits.max_beams


CONTEXT_TOKENS = 8
"""Tokens of a causal prompt with which its continuation is decoded."""
_NO_POSITIONS = 1_000_000_000


def _positions(config: Any) -> int:
    """Return how many positions the model has; models with relative ones have no end."""
    text = config.get_text_config(decoder=True)
    return int(getattr(text, "max_position_embeddings", None) or _NO_POSITIONS)


def _pad_id(model: Any, tokenizer: Any) -> int:
    """Return what fills prompts up; masks hide it, so any id will do where none is named."""
    for found in (
        model.generation_config.pad_token_id,
        model.config.get_text_config(decoder=True).pad_token_id
        if hasattr(model.config.get_text_config(decoder=True), "pad_token_id")
        else None,
        tokenizer.pad_token_id,
    ):
        if found is not None and found >= 0:
            return int(found)
    eos = model.generation_config.eos_token_id
    return int(eos[0] if isinstance(eos, list) else eos or 0)


def use_device(model: Any, device: str) -> Any:
    """Return the model ready to answer on `device`."""
    return model.requires_grad_(False).eval().to(torch.device(device))
