"""Put real texts to every kind of task, in this process, and lose none of them.

python -m benchmarks.tasks_here --data DIR --ner MODEL [--limit N] [--json FILE]

MODEL is what `benchmarks.train_ner` makes. Texts go through the whole service (tokenise, queue,
batches, decode, record) without HTTP. Questions and premises are put to MODEL's encoder under fresh
heads, summaries and translations to a small writer with random weights, so their answers mean
nothing: what is counted is that each input gets one, or a reason.
"""

import argparse
import asyncio
import gzip
import json
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.entity_scores import score, spans_of

MODEL = "bench/model"
NLI = ("contradiction", "neutral", "entailment")
N_AT_ONCE, TIMEOUT_S = 16, 120.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of `n` inputs: answered, or refused for a reason; `n_windows` were run."""

    task: str
    n: int
    n_answered: int
    refused: dict[str, int]
    n_truncated: int
    n_windows: int
    seconds: float
    scores: dict[str, float]


def load_rows(path: Path, limit: int | None) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines][:limit]


def ask_all(
    view: Path,
    task: str,
    labels: tuple[str, ...],
    inputs: Sequence[Any],
    parameters: dict[str, Any],
) -> tuple[list[Any], Outcome]:
    """Put `inputs` to the model in `view`; a prediction or an error for each, and the counts."""
    from inference.engine.engine import Engine
    from inference.engine.limits import EngineLimits
    from inference.recording import MemoryRecorder
    from inference.runtimes.loading import load_predictor, n_cores
    from inference.service import Service
    from inference.serving import LiveRoute, ServedModel, Serving, Table
    from registry.specs import Pooling, VersionSpec

    spec = VersionSpec(
        model=MODEL,
        number=1,
        digest="0" * 64,
        task=task,
        labels=labels,
        pooling=Pooling.MEAN,
        view=view,
        n_bytes=1,
    )
    predictor, serving = load_predictor(spec), Serving()
    serving.table = Table(0, {MODEL: ServedModel(live=(LiveRoute(predictor, 100),))})
    engine = Engine(EngineLimits(n_lanes=n_cores(), max_batch=8, max_queue=4096))
    service = Service(serving, engine, MemoryRecorder())
    engine.start()
    started = time.perf_counter()
    try:
        found = asyncio.run(_ask(service, inputs, parameters))
    finally:
        engine.close(10)
        service.close()
    seconds = time.perf_counter() - started
    prepared = predictor.task.encode(
        [item for item, each in zip(inputs, found, strict=True) if not _is_error(each)],
        msgspec.convert(parameters, predictor.task.parameters_type),
        short=True,
    )
    answered = [each for each in found if not _is_error(each)]
    return found, Outcome(
        task=task,
        n=len(inputs),
        n_answered=len(answered),
        refused=dict(Counter(_reason(each) for each in found if _is_error(each))),
        n_truncated=sum(each.truncated for each in answered),
        n_windows=sum(len(each.pieces) for each in prepared),
        seconds=round(seconds, 1),
        scores={},
    )


async def _ask(service: Any, inputs: Sequence[Any], parameters: dict[str, Any]) -> list[Any]:
    from access.errors import BellwetherError
    from inference.calls import Call

    gate = asyncio.Semaphore(N_AT_ONCE)

    async def one(at: int) -> Any:
        call = Call(
            model=MODEL,
            inputs=[inputs[at]],
            parameters=msgspec.Raw(msgspec.json.encode(parameters)),
            request_id=str(at),
            dialect="bench",
            key_id="bench",
            timeout_s=TIMEOUT_S,
        )
        async with gate:
            try:
                return (await service.predict(call)).predictions[0]
            except BellwetherError as error:
                return error

    return await asyncio.gather(*(one(at) for at in range(len(inputs))))


def _is_error(found: Any) -> bool:
    return isinstance(found, Exception)


def _reason(error: Any) -> str:
    return str(error.code)


def find_entities(view: Path, data: Path, limit: int | None) -> Outcome:
    """Entities of the test sentences of ner_ewt, and how good they are."""
    rows = load_rows(data / "ner_ewt" / "test.jsonl.gz", limit)
    labels = tuple(json.loads((view / "config.json").read_bytes())["id2label"].values())
    texts = [" ".join(row["tokens"]) for row in rows]
    found, outcome = ask_all(
        view, "token-classification", labels, texts, {"aggregation_strategy": "first"}
    )
    pairs = [
        (spans_of(row["tokens"], row["tags"]), _spans(each))
        for row, each in zip(rows, found, strict=True)
    ]
    scores = score(pairs)
    rates = {name: round(getattr(scores, name), 4) for name in ("precision", "recall", "f1")}
    return msgspec.structs.replace(outcome, scores=rates | {"n_entities": scores.n_true})


def _spans(found: Any) -> set[tuple[str, int, int]]:
    if _is_error(found):
        return set()
    return {
        (each["entity_group"], each["start"], each["end"])
        for each in found.decoded.fields["entities"]
    }


def answer_questions(view: Path, data: Path, limit: int | None, folder: Path) -> Outcome:
    """An answer for each question of xquad_en, from an encoder with a fresh head."""
    import torch
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    from inference.tasks.inputs import Question

    torch.manual_seed(0)
    model = AutoModelForQuestionAnswering.from_pretrained(view, num_labels=2)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(view).save_pretrained(folder)
    rows = load_rows(data / "qa_squad" / "xquad_en.jsonl.gz", limit)
    questions = [Question(row["question"], row["context"]) for row in rows]
    found, outcome = ask_all(folder, "question-answering", (), questions, {})
    n_within = sum(
        each.decoded.fields["answer"]
        == item.context[each.decoded.fields["start"] : each.decoded.fields["end"]]
        for item, each in zip(questions, found, strict=True)
        if not _is_error(each)
    )
    return msgspec.structs.replace(outcome, scores={"n_within_their_context": n_within})


def judge_premises(view: Path, data: Path, limit: int | None, folder: Path) -> Outcome:
    """A verdict on each premise of snli, from an encoder with a fresh head."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    torch.manual_seed(0)
    names = dict(enumerate(NLI))
    model = AutoModelForSequenceClassification.from_pretrained(
        view,
        num_labels=len(NLI),
        id2label=names,
        label2id={each: at for at, each in names.items()},
        # It has the name of the other task's head, not its shape.
        ignore_mismatched_sizes=True,
    )
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(view).save_pretrained(folder)
    rows = load_rows(data / "nli" / "snli_test_2k.jsonl.gz", limit)
    texts = [row["premise"] for row in rows]
    asked = {"candidate_labels": ["people", "animals", "sport", "work"]}
    return ask_all(folder, "zero-shot-classification", NLI, texts, asked)[1]


def write(view: Path, data: Path, limit: int | None, folder: Path) -> list[Outcome]:
    """A summary of each abstract of scitldr, a translation of each English sentence."""
    _save_writer(view, folder)
    asked = {"max_new_tokens": 16, "do_sample": False, "num_beams": 1}
    abstracts = load_rows(data / "summarization" / "scitldr_dev.jsonl.gz", limit)
    texts = [row["text"] for row in abstracts]
    found = [ask_all(folder, "summarization", (), texts, asked)[1]]
    for path in sorted((data / "translation").glob("*.jsonl.gz")):
        texts = [row["en"] for row in load_rows(path, limit)]
        outcome = ask_all(folder, "translation", (), texts, asked)[1]
        found.append(msgspec.structs.replace(outcome, task=f"translation of {path.name}"))
    return found


def _save_writer(view: Path, folder: Path) -> None:
    """A small BART of random weights that reads with the tokenizer in `view`."""
    import torch
    from transformers import AutoTokenizer, BartConfig, BartForConditionalGeneration

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(view)
    sides: dict[str, Any] = {
        f"{side}_{name}": n
        for side in ("encoder", "decoder")
        for name, n in (("layers", 2), ("attention_heads", 4), ("ffn_dim", 256))
    }
    config = BartConfig(
        vocab_size=len(tokenizer),
        d_model=128,
        max_position_embeddings=512,
        bos_token_id=tokenizer.cls_token_id,
        eos_token_id=tokenizer.sep_token_id,
        pad_token_id=tokenizer.pad_token_id,
        decoder_start_token_id=tokenizer.sep_token_id,
        forced_eos_token_id=None,
        **sides,
    )
    BartForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--ner", type=Path, required=True)
    parser.add_argument("--limit", type=int, help="ask only so many of each")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()

    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    outcomes = [_said(find_entities(asked.ner, asked.data, asked.limit))]
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder) / name for name in ("questions", "premises", "writer")]
        rest = (asked.ner, asked.data, asked.limit)
        outcomes.append(_said(answer_questions(*rest, places[0])))
        outcomes.append(_said(judge_premises(*rest, places[1])))
        outcomes += [_said(each) for each in write(*rest, places[2])]
    if asked.json:
        asked.json.write_bytes(msgspec.json.encode(outcomes))


def _said(outcome: Outcome) -> Outcome:
    """The same, printed; ends the program where inputs were lost."""
    print(msgspec.json.format(msgspec.json.encode(outcome)).decode(), flush=True)
    if outcome.n != outcome.n_answered + sum(outcome.refused.values()):
        raise SystemExit("some inputs were lost")
    return outcome


if __name__ == "__main__":
    main()
