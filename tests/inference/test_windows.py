"""Windows are transformers' own, token for token, for each kind of tokenizer, and bounded."""

import json
import threading

import pytest
from transformers import AutoModelForTokenClassification, AutoTokenizer

from inference.errors import TextTooLong
from inference.tasks import windows
from inference.tasks.windows import Pair, WindowTokenizer, count_windows
from tests.inference.golden.seeded import save_seeded
from tests.inference.golden.texts import CORPUS, LONG, ODD

ARCHITECTURES = ("bert", "roberta", "deberta-v2")
FIELDS = ("ids", "offsets", "special_tokens_mask", "word_ids", "sequence_ids")


@pytest.fixture(scope="module", params=ARCHITECTURES)
def view(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp(request.param)
    return save_seeded(directory, request.param, AutoModelForTokenClassification)


@pytest.fixture(scope="module")
def tokenizer(view):
    return WindowTokenizer(view)


def theirs(view, *texts, **options):
    options = {"truncation": True, "return_overflowing_tokens": True} | options
    return AutoTokenizer.from_pretrained(view)(*texts, **options).encodings


def check_alike(tokenizer, ours, encodings):
    assert len(ours) == len(encodings)
    for our, their in zip(ours, encodings, strict=True):
        for field in FIELDS:
            assert getattr(our, field) == getattr(their, field), field
    pieces = tokenizer.divided(ours, [], context=None, truncated=False).pieces
    for piece, their in zip(pieces, encodings, strict=True):
        assert piece.type_ids == (their.type_ids if tokenizer.form.has_types else None)


@pytest.mark.parametrize("overlap", [0, 1, 13, 58])
@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("text", [LONG, *ODD], ids=lambda text: text[:12])
def test_windows_of_a_text_are_transformers_own(view, tokenizer, text, overlap, side):
    whole = tokenizer.tokenize(text, short=True)
    ours = tokenizer.divide(
        whole,
        room=tokenizer.max_tokens - tokenizer.n_added,
        overlap=overlap,
        field="text",
        short=True,
        side=side,
    )
    tokens = AutoTokenizer.from_pretrained(view, truncation_side=side)
    encodings = tokens(
        text, truncation=True, max_length=64, stride=overlap, return_overflowing_tokens=True
    ).encodings
    check_alike(tokenizer, ours, encodings)


@pytest.mark.parametrize("divided", ["first", "second"])
@pytest.mark.parametrize("overlap", [0, 7])
@pytest.mark.parametrize("question", [CORPUS[4], "x", "Zoë 🎉?"])
def test_windows_of_a_pair_are_transformers_own(view, tokenizer, question, overlap, divided):
    short, long = (tokenizer.tokenize(text, short=True) for text in (question, LONG))
    first, second = (long, short) if divided == "first" else (short, long)
    room = 64 - tokenizer.n_added_to_pair - len(short)
    ours = tokenizer.divide(
        Pair(first=first, second=second, divided=divided),
        room=room,
        overlap=overlap,
        field="text",
        short=True,
    )
    texts = (LONG, question) if divided == "first" else (question, LONG)
    encodings = theirs(view, *texts, truncation=f"only_{divided}", max_length=64, stride=overlap)
    check_alike(tokenizer, ours, encodings)


def test_windows_of_a_tokenizer_that_adds_nothing_know_their_texts(view, tmp_path):
    for path in view.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    plain = json.loads((tmp_path / "tokenizer.json").read_bytes()) | {"post_processor": None}
    (tmp_path / "tokenizer.json").write_text(json.dumps(plain))
    tokenizer = WindowTokenizer(tmp_path)
    if tokenizer.n_added_to_pair:
        pytest.skip("its class adds special tokens whatever the file says")
    first, second = (tokenizer.tokenize(text, short=True) for text in ("x", LONG))
    ours = tokenizer.divide(
        Pair(first=first, second=second, divided="second"),
        room=20,
        overlap=3,
        field="text",
        short=True,
    )
    n = len(first)
    assert all(window.sequence_ids[:n] == [0] * n for window in ours)
    assert all(set(window.sequence_ids[n:]) == {1} for window in ours)


def test_windows_are_counted_before_they_are_made(tokenizer, monkeypatch):
    for n_tokens in range(1, 200, 7):
        text = "a " * n_tokens
        whole = tokenizer.tokenize(text, short=True)
        wanted = count_windows(len(whole), room=20, overlap=6)
        made = tokenizer.divide(whole, room=20, overlap=6, field="text", short=True)
        assert len(made) == wanted
    monkeypatch.setattr(windows, "MAX_WINDOWS", 5)
    whole = tokenizer.tokenize("a " * 200, short=True)
    with pytest.raises(TextTooLong) as refused:
        tokenizer.divide(whole, room=20, overlap=6, field="inputs[3]", short=True)
    assert refused.value.details["field"] == "inputs[3]"
    assert refused.value.details["limit"] == 5


def test_threads_share_a_tokenizer_without_harm(tokenizer):
    def cut(overlap):
        whole = tokenizer.tokenize(LONG, short=False)
        made = tokenizer.divide(whole, room=40, overlap=overlap, field="text", short=False)
        return [window.ids for window in made]

    alone = {overlap: cut(overlap) for overlap in range(8)}
    wrong = []

    def work(overlap):
        wrong.extend(overlap for _ in range(20) if cut(overlap) != alone[overlap])

    threads = [threading.Thread(target=work, args=(overlap,)) for overlap in alone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not wrong
