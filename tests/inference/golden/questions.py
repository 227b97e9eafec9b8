"""Questions put to the recorded pipeline and to ours, each with its parameters."""

from typing import Any

from tests.inference.golden.texts import CORPUS, LONG, ODD

_WHO, _WHERE, _WHAT = "Who wrote the first program?", "Where does it end?", "What did he buy?"


def _case(question: str, context: str, **parameters: Any) -> dict[str, Any]:
    return {"question": question, "context": context, "parameters": parameters}


CASES = [
    *(_case(_WHO, text) for text in CORPUS),
    *(_case(_WHERE, text) for text in ODD),
    *(_case(_WHAT, text, align_to_words=False) for text in (*CORPUS, *ODD)),
    *(_case(_WHO, text, handle_impossible_answer=True) for text in (*CORPUS, *ODD)),
    *(_case(_WHERE, text, top_k=5) for text in CORPUS),
    *(_case(_WHERE, text, top_k=5, align_to_words=False) for text in CORPUS),
    *(_case(_WHAT, text, top_k=4, handle_impossible_answer=True) for text in (*CORPUS, *ODD)),
    *(_case(_WHAT, text, max_answer_len=length) for text in CORPUS for length in (1, 2, 40)),
    *(_case(text, CORPUS[0]) for text in ODD),
    _case(_WHO, LONG),
    _case(_WHO, LONG, top_k=10),
    _case(_WHO, LONG, top_k=10, align_to_words=False),
    _case(_WHERE, LONG, handle_impossible_answer=True, top_k=3),
    _case(_WHERE, LONG, handle_impossible_answer=True, max_answer_len=1),
    *(_case(_WHAT, LONG, doc_stride=stride) for stride in (0, 1, 9)),
    *(_case(_WHAT, LONG, max_seq_len=length) for length in (40, 48, 64)),
    _case(_WHAT, LONG, max_seq_len=50, doc_stride=5, top_k=3),
    _case(_WHO, " ".join(ODD) * 3, top_k=3),
    _case(_WHO, " ".join(ODD) * 3, top_k=3, align_to_words=False),
    _case("x", "x"),
    _case("x", "x y", top_k=50),
    _case("?", "Ada", handle_impossible_answer=True),
]
