"""Makes the starter model from a base model and labelled phrases.

python -m starter.train --data DIR --out starter/model [--work DIR]

With --work the teacher is kept in that folder, and taken from there when it is present:
training it is the longest stage. Where other programs share the processor, set
OMP_WAIT_POLICY=PASSIVE, else the two threads spend most of their time waiting for each
other in a loop.

A six-layer teacher learns the phrases; a four-layer student with a smaller vocabulary
learns from the teacher; a temperature fitted on sentences neither has seen is folded
into the student's head. Every choice is a constant below; the dev set is measured and
never learned from.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import BertForSequenceClassification

from starter.alteration import alter
from starter.calibration import assess, fit_temperature, fold_temperature
from starter.card import write_card
from starter.corpus import (
    DEV,
    PHRASES,
    SENTENCES,
    Example,
    Split,
    load_examples,
    load_general_texts,
    resolve_data_folder,
    split_held_out,
)
from starter.evaluate import (
    FORMS,
    MODEL_FOLDER,
    answer_texts,
    labels_of,
    measure_forms,
)
from starter.files import load_model, save_model, set_precision, write_json
from starter.measure import accuracy, answer, encode
from starter.models import LABELS, keep_layers, load_base_model, load_base_tokenizer
from starter.reference import write_reference
from starter.stopwatch import Stopwatch
from starter.training import Schedule, SoftLabels, TokenIds, TrainingSet, fit
from starter.vocabulary import (
    PAD,
    UNKNOWN,
    choose_pieces,
    count_pieces,
    cut_embeddings,
    cut_tokenizer,
    mix_shares,
    special_id,
)

SEED = 20240229
THREADS = 2
# A thousand rows put a standard error of one point on held-out accuracy; each further
# thousand would take about a sixth of the phrases away from training.
HELD_OUT = 1000
PIECES = 10_240
LAYERS = (0, 2, 3, 5)
TEACHER = Schedule(epochs=3, learning_rate=8e-5)
STUDENT = Schedule(epochs=4, learning_rate=1.5e-4, batch_size=128)
# Half of what the student reads is altered, and only the teacher has a view of it.
ALTERED_FORMS = 2
SOFT_SHARE = 0.9
SOFT_TEMPERATURE = 2.0


@dataclass(frozen=True, slots=True)
class Network:
    """A model and the tokenizer that feeds it."""

    model: BertForSequenceClassification
    tokenizer: Tokenizer


def spell(examples: Sequence[Example]) -> list[list[str]]:
    """Return the texts of the examples in every written form."""
    return [[rewrite(example.text) for example in examples] for rewrite in FORMS.values()]


def encode_forms(tokenizer: Tokenizer, forms: Sequence[Sequence[str]]) -> list[TokenIds]:
    """Return the token ids of every form."""
    return [encode(tokenizer, texts) for texts in forms]


def take_teacher(examples: Sequence[Example], kept: Path | None) -> Network:
    """Return the teacher kept in a folder, or train one and keep it there."""
    if kept is not None and kept.is_dir():
        print(f"teacher taken from {kept}")
        model = BertForSequenceClassification.from_pretrained(kept)
        return Network(model, load_base_tokenizer())
    teacher = train_teacher(examples)
    if kept is not None:
        teacher.model.save_pretrained(kept)
    return teacher


def train_teacher(examples: Sequence[Example]) -> Network:
    """Fine-tune the whole base model on labelled phrases."""
    torch.manual_seed(SEED)
    tokenizer, model = load_base_tokenizer(), load_base_model()
    forms = encode_forms(tokenizer, spell(examples))
    data = TrainingSet(forms, torch.tensor(labels_of(examples)), labelled=len(forms))
    fit(model, data, TEACHER, SEED, "teacher")
    return Network(model, tokenizer)


def soften(teacher: Network, forms: Sequence[Sequence[str]]) -> SoftLabels:
    """Return what the teacher says about every text of every form."""
    encoded = encode_forms(teacher.tokenizer, forms)
    # Most phrases are spelled alike in both written forms; asking once is enough.
    unique = dict.fromkeys(tuple(row) for rows in encoded for row in rows)
    place = {row: number for number, row in enumerate(unique)}
    unknown = special_id(teacher.tokenizer, UNKNOWN)
    rows = [list(row) for row in unique]
    answers = answer(teacher.model, rows, unknown, batch_size=256, fast=True)
    logits = torch.from_numpy(answers.logits).float()
    features = torch.from_numpy(answers.features).half()
    places = [[place[tuple(row)] for row in rows] for rows in encoded]
    return SoftLabels(
        [logits[numbers] for numbers in places],
        [features[numbers] for numbers in places],
        SOFT_SHARE,
        SOFT_TEMPERATURE,
    )


def shrink(teacher: Network, examples: Sequence[Example], general: Sequence[str]) -> Network:
    """Turn the teacher into an untrained student: fewer layers, fewer pieces."""
    base = teacher.tokenizer.get_vocab()
    corpora = ([example.text for example in examples], general)
    shares = mix_shares(count_pieces(teacher.tokenizer, texts) for texts in corpora)
    pieces = choose_pieces(base, shares, PIECES)
    tokenizer = cut_tokenizer(teacher.tokenizer, pieces)
    keep_layers(teacher.model, LAYERS)
    cut_embeddings(teacher.model, [base[piece] for piece in pieces], special_id(tokenizer, PAD))
    return Network(teacher.model, tokenizer)


def distil(
    student: Network,
    examples: Sequence[Example],
    forms: Sequence[Sequence[str]],
    soft: SoftLabels,
) -> None:
    """Train the student on the teacher's opinion, and on labels where they hold."""
    ids = encode_forms(student.tokenizer, forms)
    data = TrainingSet(ids, torch.tensor(labels_of(examples)), len(FORMS), soft)
    fit(student.model, data, STUDENT, SEED + 1, "student")


def calibrate(student: Network, held_out: Sequence[Example]) -> float:
    """Fold the temperature that suits the held-out sentences into the head."""
    texts = [example.text for example in held_out]
    logits = answer_texts(student.model, student.tokenizer, texts).logits
    temperature = fit_temperature(logits, labels_of(held_out))
    fold_temperature(student.model, temperature)
    return temperature


def describe_held_out(out: Path, held_out: Sequence[Example]) -> dict[str, Any]:
    """Write the reference statistics of the files in ``out``."""
    answers = answer_texts(*load_model(out), [example.text for example in held_out])
    about = {
        "source": "SST-2 training sentences held out from training, as the treebank writes them",
        "pooling": "mean",
        "script": "Latn",
        "seed": SEED,
    }
    return write_reference(out, answers, labels_of(held_out), LABELS, about)


def measure(out: Path, dev: Sequence[Example], temperature: float) -> dict[str, Any]:
    """Measure the files in ``out`` on dev, with the temperature and without it."""
    model, tokenizer = load_model(out)
    labels = labels_of(dev)
    folded = answer_texts(model, tokenizer, [example.text for example in dev]).logits
    return {
        "n": len(dev),
        "forms": measure_forms(model, tokenizer, dev),
        "before_temperature": assess(folded * temperature, labels).rounded(),
    }


def teacher_accuracy(teacher: Network, dev: Sequence[Example]) -> float:
    """Return the teacher's accuracy on dev, for comparison with the student's."""
    logits = answer_texts(teacher.model, teacher.tokenizer, [e.text for e in dev]).logits
    return round(accuracy(logits, labels_of(dev)), 4)


def build(data: Path, out: Path, work: Path | None = None) -> dict[str, Any]:
    """Run every stage, write the model folder and return its metrics."""
    watch = Stopwatch()
    with watch.stage("read"):
        phrases, sentences, dev = (load_examples(data / f) for f in (PHRASES, SENTENCES, DEV))
        general = load_general_texts(data)
        split = split_held_out(phrases, sentences, HELD_OUT, SEED)
    with watch.stage("train teacher"):
        teacher = take_teacher(split.train, work and work / "teacher")
    if work is not None:
        watch.remember(work / "teacher.json", "train teacher")
    with watch.stage("soft labels"):
        texts = [example.text for example in split.train]
        forms = [*spell(split.train), *(alter(texts, SEED + n) for n in range(ALTERED_FORMS))]
        soft = soften(teacher, forms)
        teacher_dev = teacher_accuracy(teacher, dev)
    with watch.stage("cut vocabulary and layers"):
        student = shrink(teacher, split.train, general)
    with watch.stage("distil student"):
        distil(student, split.train, forms, soft)
    with watch.stage("calibrate and save"):
        # Rounding first: the temperature must suit the weights that ship.
        set_precision(student.model, torch.float16)
        set_precision(student.model, torch.float32)
        temperature = calibrate(student, split.held_out)
        out.mkdir(parents=True, exist_ok=True)
        save_model(out, student.model, student.tokenizer)
    with watch.stage("measure"):
        reference = describe_held_out(out, split.held_out)
        measured = measure(out, dev, temperature)
    metrics = {
        "dev": measured,
        "held_out": {"n": reference["n"], **_quality(reference)},
        "teacher_dev_accuracy": teacher_dev,
        "temperature": round(temperature, 4),
        "training": _training_facts(split),
        "seconds": watch.seconds,
    }
    write_json(out / "metrics.json", metrics)
    write_card(out, metrics)
    return metrics


def _quality(reference: dict[str, Any]) -> dict[str, float]:
    return {name: reference["quality"][name] for name in ("accuracy", "macro_f1")}


def _training_facts(split: Split) -> dict[str, Any]:
    return {
        "phrases": len(split.train),
        "phrases_dropped": split.dropped,
        "pieces": PIECES,
        "layers_kept": list(LAYERS),
        "seed": SEED,
    }


def main() -> None:
    """Read the options, build, and print the measured table."""
    parser = argparse.ArgumentParser(description="Train the starter model.")
    parser.add_argument("--data", type=Path, help="folder that holds sst2/ and the rest")
    parser.add_argument("--out", type=Path, default=MODEL_FOLDER)
    parser.add_argument("--work", type=Path, help="folder to keep the teacher in")
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    np.random.seed(SEED)
    metrics = build(resolve_data_folder(options.data), options.out, options.work)
    for form, row in metrics["dev"]["forms"].items():
        print(form, row)
    print("before temperature", metrics["dev"]["before_temperature"])
    print("temperature", metrics["temperature"], "held out", metrics["held_out"])


if __name__ == "__main__":
    main()
