"""What is noted of a text: its script, a keyed fingerprint, and no more of it than may be kept."""

import pytest

from inference.describing import FINGERPRINT_CHARS, Describer
from inference.redaction import Redactor
from inference.scripts import _STARTS, main_script


@pytest.fixture
def describer() -> Describer:
    return Describer(secret="a secret")


SCRIPTS = {
    "a plain text": "Latn",
    "café, naïve, Größe": "Latn",
    "zażółć gęślą jaźń": "Latn",
    "Привет, мир": "Cyrl",
    "Καλημέρα κόσμε": "Grek",
    "שלום עולם": "Hebr",
    "مرحبا بالعالم": "Arab",
    "नमस्ते दुनिया": "Deva",
    "สวัสดีชาวโลก": "Thai",
    "你好，世界": "Hani",
    "これは日本語の文章です": "Jpan",
    "안녕하세요": "Hang",
    "Привет, wo": "Cyrl",
    "": "",
    " \n\t ": "",
    "12 + 3 = 15 €": "",
    "🐏🐏": "",
    "\U0010ffff": "",
    "\ud800": "",
}


@pytest.mark.parametrize("text", SCRIPTS)
def test_the_main_script_is_that_of_most_letters(text: str) -> None:
    assert main_script(text) == SCRIPTS[text]


def test_blocks_are_in_order() -> None:
    assert sorted(set(_STARTS)) == _STARTS


def test_case_and_blanks_make_no_other_text(describer: Describer) -> None:
    prints = {
        describer.describe(text).fingerprint
        for text in ("A fine day", "a  FINE\nday ", "a fine day")
    }
    assert len(prints) == 1
    assert describer.describe("another day").fingerprint not in prints


def test_fingerprints_fit_signed_64_bits_and_differ(describer: Describer) -> None:
    prints = {describer.describe(f"text {i}").fingerprint for i in range(5000)}
    assert len(prints) == 5000
    assert min(prints) < 0 < max(prints) < 2**63
    assert 0 not in prints


def test_long_texts_differ_by_their_beginning_or_length(describer: Describer) -> None:
    long = "word " * FINGERPRINT_CHARS
    prints = {describer.describe(text).fingerprint for text in (long, long + "x", "b" + long[1:])}
    assert len(prints) == 3


def test_another_secret_gives_other_hashes() -> None:
    one, same, other = Describer(secret="a"), Describer(secret="a"), Describer(secret="b")
    for hashed in (lambda d: d.describe("x").fingerprint, lambda d: d.subject("ann")):
        assert hashed(one) == hashed(same) != hashed(other)
    assert Describer().subject("ann") != Describer().subject("ann")


def test_a_subject_is_hashed_and_nobody_is_empty(describer: Describer) -> None:
    hashed = describer.subject("ann@example.org")
    assert len(hashed) == 32
    assert int(hashed, 16)
    assert describer.subject("") == ""
    assert describer.subject("\ud800")


@pytest.mark.parametrize(("text", "is_empty"), [("", True), (" \n\u3000", True), ("a", False)])
def test_a_text_of_blanks_is_empty(describer: Describer, text: str, is_empty: bool) -> None:
    assert describer.describe(text).is_empty is is_empty
    assert describer.describe(" " * 5000 + text).is_empty is is_empty


def test_what_is_kept_is_the_text_redacted_or_nothing() -> None:
    text = "write to ann@example.org"
    assert Describer().describe(text).text == text
    assert Describer(redactor=Redactor()).describe(text).text == text
    assert Describer(redactor=Redactor(["email"])).describe(text).text == "write to [email]"
    assert Describer(stores_text=False).describe(text).text is None
    # It is the text that came which is told from others, not what is left of it.
    redacted = Describer(secret="s", redactor=Redactor(["email"]))
    plain = Describer(secret="s").describe(text)
    assert redacted.describe(text).fingerprint == plain.fingerprint
