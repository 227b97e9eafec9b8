"""Record what the last pipeline for question answering says: transformers 4.57's.

Run once, with torch, numpy and that version of transformers; the answers are kept beside this
file, and tests hold ours against them.

python -m tests.inference.golden.record_question_answering
"""

import json
import platform
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy
import tokenizers
import torch
import transformers
from transformers import AutoModelForQuestionAnswering, pipeline

from tests.inference.golden.questions import CASES
from tests.inference.golden.seeded import POSITIONS, STYLES, fingerprint, save_seeded

OUT = Path(__file__).parent / "question_answering.json"
# With 512 positions windows are those of the defaults: 384 tokens, of which 128 are shared.
SIZES = {"bert": (POSITIONS, 512), "roberta": (POSITIONS, 512)}


def record(architecture: str, positions: int, folder: Path) -> dict[str, Any]:
    view = save_seeded(
        folder / f"{architecture}-{positions}",
        architecture,
        AutoModelForQuestionAnswering,
        positions=positions,
    )
    ask = pipeline("question-answering", model=str(view))
    return {
        "architecture": architecture,
        "positions": positions,
        "weights": fingerprint(view),
        "answers": [said(ask, case) for case in CASES],
    }


def said(ask: Any, case: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The answers to one case, as a list; those of probability 0 stand for no span and are left
    out, but for the only one. None where the pipeline has no answer.
    """
    try:
        found = ask(question=case["question"], context=case["context"], **case["parameters"])
    except BaseException as error:
        # Where a question leaves less room than windows share, the tokenizer panics.
        if type(error).__name__ != "PanicException":
            raise
        return None
    found = found if isinstance(found, list) else [found]
    return [each for each in found if each["score"] > 0] or found[:1]


def main() -> None:
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        models = [
            record(architecture, positions, Path(folder))
            for architecture in STYLES
            for positions in SIZES.get(architecture, (POSITIONS,))
        ]
    made_by = {
        "transformers": transformers.__version__,
        "tokenizers": tokenizers.__version__,
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
    }
    lines = ",\n".join(json.dumps(model, ensure_ascii=False) for model in models)
    OUT.write_text(f'{{"made_by": {json.dumps(made_by)},\n"models": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
