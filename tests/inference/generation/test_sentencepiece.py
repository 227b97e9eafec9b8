"""Models whose tokenizer is a SentencePiece file are served as transformers runs them."""

import asyncio
import json
import time
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from inference.generation.generator import FinishEvent, GenerationLimits
from inference.generation.ports import Prompt
from inference.runtimes.generating.loading import load_generator
from registry.inspection import check_listing, inspect
from tests.inference.generation.conftest import CPU, Machine
from tests.inference.tiny_sentencepiece import save_sentencepiece

TEXTS = ["The bellwether leads the flock.", "Nobody knows", "führt die Herde; X is unknown", "x"]
LANGUAGES = {
    "m2m_100": ("de", "fr"),
    "nllb": ("deu_Latn", "fra_Latn"),
    "mbart": ("de_DE", "fr_XX"),
    "mbart25": ("de_DE", "ro_RO"),
}
PLAIN = ("t5", "mt5", "pegasus", "marian", "llama", "gemma")
OPTIONS: dict[str, Any] = {"max_new_tokens": 12, "do_sample": False}


@pytest.fixture(scope="module", params=[*LANGUAGES, *PLAIN])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    form = request.param
    directory = tmp_path_factory.mktemp(form)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        save_sentencepiece(directory, form)
    machine = Machine(load_generator(directory, CPU), GenerationLimits())
    machine.generator.start()
    yield form, directory, machine
    machine.generator.close(5)


def prompts(form: str, machine: Machine) -> list[Prompt]:
    if form not in LANGUAGES:
        return [machine.prompts.text(text) for text in TEXTS]
    src, tgt = LANGUAGES[form]
    return [machine.prompts.translation(text, src_lang=src, tgt_lang=tgt) for text in TEXTS]


def theirs(form: str, directory: Path, **options: Any) -> list[tuple[list[int], str]]:
    """What transformers writes for each text alone, from the same directory: tokens and text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tokenizer = AutoTokenizer.from_pretrained(directory)
    kind = AutoModelForCausalLM if form in {"llama", "gemma"} else AutoModelForSeq2SeqLM
    model = kind.from_pretrained(directory).eval()
    if form in LANGUAGES:
        tokenizer.src_lang, target = LANGUAGES[form]
        named = getattr(tokenizer, "lang_code_to_id", {})
        options["forced_bos_token_id"] = named.get(target) or tokenizer.convert_tokens_to_ids(
            target
        )
    languages = set(getattr(tokenizer, "lang_code_to_id", {}).values())
    written = []
    for text in TEXTS:
        inputs = tokenizer(text, return_tensors="pt", return_token_type_ids=False)
        with torch.inference_mode():
            row = model.generate(**inputs, **options)[0].tolist()
        new = row[1:] if model.config.is_encoder_decoder else row[inputs["input_ids"].shape[1] :]
        shown = [token_id for token_id in new if token_id not in languages]
        written.append((new, str(tokenizer.decode(shown, skip_special_tokens=True))))
    return written


def test_a_registered_directory_is_a_version(made: Any) -> None:
    _, directory, _ = made
    sizes = {path.name: path.stat().st_size for path in directory.iterdir()}
    assert "tokenizer.json" not in sizes
    check_listing(sizes)
    assert inspect(directory, sizes).task in {
        "text-generation",
        "text2text-generation",
        "translation",
    }


@pytest.mark.parametrize("num_beams", [1, 3])
def test_texts_that_share_a_batch_are_what_transformers_writes(made: Any, num_beams: int) -> None:
    form, directory, machine = made
    options = {**OPTIONS, "num_beams": num_beams}
    got = machine.ask_all(prompts(form, machine), [options] * len(TEXTS))
    for each, (ids, whole) in zip(got, theirs(form, directory, **options), strict=True):
        assert list(each.token_ids) == ids
        # Bytes that are no text yet are told as they come, so those that never are differ.
        if "\N{REPLACEMENT CHARACTER}" not in whole:
            assert each.text.strip() == whole.strip()


def test_a_stream_adds_up_to_the_text(made: Any) -> None:
    form, _, machine = made
    prompt = prompts(form, machine)[0]

    async def read() -> tuple[str, str]:
        stream = machine.generator.stream([prompt], deadline=time.monotonic() + 60)
        events = [event async for event in stream]
        deltas = "".join(getattr(event, "text", "") for event in events[:-1])
        assert isinstance(events[-1], FinishEvent)
        return deltas, events[-1].text

    told, whole = asyncio.run(read())
    assert told == whole


def test_a_model_without_its_languages_is_refused(tmp_path: Path) -> None:
    save_sentencepiece(tmp_path, "nllb")
    file = tmp_path / "tokenizer_config.json"
    config = json.loads(file.read_text())
    del config["additional_special_tokens"]
    file.write_text(json.dumps(config))
    with pytest.raises(ValueError, match="additional_special_tokens"):
        load_generator(tmp_path, CPU)
