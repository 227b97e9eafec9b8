"""What sharing forwards brings to texts that are made at the same time.

    python -m benchmarks.generation

A GPT-2 of random weights (6 layers of 384, 8,192 tokens) makes greedy texts from prompts of mixed
lengths: one after another by `model.generate`, then all at once as streams of the step loop, in
turn, with the same cores. Both must make the same tokens. README.md says what each figure means.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from benchmarks.machine import describe, load_machine
from inference.generation.generator import (
    FinishEvent,
    GenerationLimits,
    GenerationOptions,
    Generator,
    Prompt,
    TokenEvent,
)
from inference.runtimes.generating.model import TorchGenerationModel
from inference.runtimes.loading import n_cores

LAYERS, WIDTH, HEADS, VOCABULARY, POSITIONS = 6, 384, 6, 8192, 512
DEADLINE_S = 600.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Print tokens a second of both ways in every round and the median ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--streams", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cores", type=int, default=n_cores())
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args(arguments)
    machine = load_machine()
    print("\n".join(describe(machine)))
    print(f"load average {os.getloadavg()[0]:.1f}, {chosen.cores} cores for forward passes")
    model = _model()
    prompts = _prompts(chosen.streams)
    generator = Generator(_shared(model, chosen.cores), GenerationLimits(max_rows=chosen.streams))
    generator.start()
    try:
        rounds = [_round(model, generator, prompts, chosen) for _ in range(chosen.rounds + 1)][1:]
    finally:
        generator.close(10)
    ratio = statistics.median(each["ratio"] for each in rounds)
    print(f"median ratio, shared / one after another: {ratio:.2f}")
    if chosen.json:
        chosen.json.write_text(json.dumps({"rounds": rounds, "ratio": ratio}, indent=1) + "\n")
    return 0


def _round(model: Any, generator: Generator, prompts: list[Prompt], chosen: Any) -> dict[str, Any]:
    torch.set_num_threads(chosen.cores)
    began_at = time.perf_counter()
    expected = [_alone(model, prompt, chosen.tokens) for prompt in prompts]
    alone_s = time.perf_counter() - began_at
    n_steps = generator.n_steps
    began_at = time.perf_counter()
    made, first_s = asyncio.run(_together(generator, prompts, chosen.tokens))
    shared_s = time.perf_counter() - began_at
    if made != expected:
        raise SystemExit("the shared loop made other tokens than model.generate")
    n = sum(map(len, made))
    figures = {
        "alone_tokens_s": n / alone_s,
        "shared_tokens_s": n / shared_s,
        "ratio": alone_s / shared_s,
        "first_token_s": first_s,
        "n_steps": generator.n_steps - n_steps,
    }
    print(
        f"one after another {figures['alone_tokens_s']:7.0f} tokens/s   "
        f"shared {figures['shared_tokens_s']:7.0f} tokens/s   ratio {figures['ratio']:.2f}   "
        f"{figures['n_steps']} steps, slowest first token {first_s * 1000:.0f} ms"
    )
    return figures


@torch.inference_mode()
def _alone(model: Any, prompt: Prompt, n: int) -> list[int]:
    ids = torch.tensor([prompt.ids])
    made = model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=n, do_sample=False
    )
    new: list[int] = made[0, len(prompt.ids) :].tolist()
    return new


async def _together(
    generator: Generator, prompts: list[Prompt], n: int
) -> tuple[list[list[int]], float]:
    began_at = time.perf_counter()
    options = GenerationOptions(max_new_tokens=n, do_sample=False)
    firsts: list[float] = []

    async def one(prompt: Prompt) -> list[int]:
        deadline = time.monotonic() + DEADLINE_S
        ids: list[int] = []
        async with generator.stream([prompt], options, deadline=deadline) as events:
            async for event in events:
                if isinstance(event, TokenEvent):
                    if not ids:
                        firsts.append(time.perf_counter() - began_at)
                    ids.append(event.token_id)
                elif not isinstance(event, FinishEvent):
                    raise event.error
        return ids

    made = await asyncio.gather(*map(one, prompts))
    return list(made), max(firsts)


def _prompts(n: int) -> list[Prompt]:
    """Prompts of 8 to 64 tokens, the same each time."""
    random = torch.Generator().manual_seed(0)
    lengths = torch.randint(8, 65, (n,), generator=random).tolist()
    return [
        Prompt(tuple(torch.randint(VOCABULARY, (length,), generator=random).tolist()))
        for length in lengths
    ]


def _model() -> Any:
    torch.manual_seed(0)
    config = GPT2Config(
        n_layer=LAYERS,
        n_embd=WIDTH,
        n_head=HEADS,
        n_positions=POSITIONS,
        vocab_size=VOCABULARY,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=0,
        tie_word_embeddings=False,
    )
    model: Any = GPT2LMHeadModel(config)
    model.eval().requires_grad_(False)
    # Fresh weights make nearly equal logits; stretched, rounding does not choose the token.
    model.lm_head.weight.mul_(20)
    return model


def _shared(model: Any, cores: int) -> TorchGenerationModel:
    return TorchGenerationModel(model, _tokenizer(), GenerationLimits(), n_cores=cores)


def _tokenizer() -> Any:
    """Every token is a word: w0, w1 and so on."""
    words = {f"w{number}": number for number in range(VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, model_max_length=POSITIONS
    )


def save_writer(folder: Path) -> None:
    """Save the same model as users save theirs."""
    _model().save_pretrained(folder)
    _tokenizer().save_pretrained(folder)


if __name__ == "__main__":
    sys.exit(main())
