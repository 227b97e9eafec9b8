"""What patterns replace, what they leave alone, and that no text makes them slow."""

import time
from pathlib import Path

import pytest

from inference.redaction import BUILT_IN, LONGEST_PATTERN, MOST_PATTERNS, Redactor, read_patterns

FOUND = {
    "email": [
        ("write to ann.b+c@mail.example.co.uk, please", "write to [email], please"),
        ("<jürgen@exämple.de>", "<[email]>"),
    ],
    "iban": [
        ("pay DE89 3704 0044 0532 0130 00 now", "pay [iban] now"),
        ("GB29NWBK60161331926819", "[iban]"),
    ],
    "card": [
        ("by 4111 1111 1111 1111.", "by [card]."),
        ("by 5500-0000-0000-0004", "by [card]"),
        ("378282246310005", "[card]"),
    ],
    "ip": [
        ("from 10.0.0.254:80", "from [ip]:80"),
        ("from 2001:0db8:0000:0000:0000:ff00:0042:8329", "from [ip]"),
        ("from fe80::1:2 on", "from [ip] on"),
    ],
    "phone": [
        ("call +49 170 1234567 now", "call [phone] now"),
        ("call 0170/1234567", "call [phone]"),
        ("call (212) 555-1234.", "call [phone]."),
        ("call 0049 (0) 30 901820", "call [phone]"),
    ],
}
LEFT_ALONE = [
    "ann at example dot org, @ann, a@b",
    "order 4111 1111 1111 1112 of 2026-11-21 at 12:30:45",
    "version 1.2.3 of 300.1.1.1",
    "the 1990s, 12,500 of 1 000 000, 3.14159",
    "DE89 is a road; AA11 a size",
]


@pytest.mark.parametrize("name", BUILT_IN)
def test_each_pattern_finds_what_it_is_for(name: str) -> None:
    redactor = Redactor([name])
    for text, expected in FOUND[name]:
        assert redactor.redact(text) == expected


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    assert Redactor(BUILT_IN).redact(text) == text


HOSTILE = {
    "letters": "a" * 100_000,
    "digits": "1" * 100_000,
    "at signs": "a@" * 50_000,
    "dots": "a@" + "a." * 50_000,
    "digits and blanks": "1 " * 50_000,
    "colons": "a:" * 50_000,
    "plus signs": "+1" * 50_000,
    "half an IBAN": "AA11" * 25_000,
    "brackets": "(2" * 50_000,
    "half an address": "1." * 50_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_with_the_length_of_a_hostile_text_and_no_faster(name: str) -> None:
    redactor, text = Redactor(BUILT_IN), HOSTILE[name]

    def seconds(part: str) -> float:
        started = time.process_time()
        redactor.redact(part)
        return time.process_time() - started

    whole = min(seconds(text) for _ in range(3))
    tenth = min(seconds(text[: len(text) // 10]) for _ in range(5))
    # Quadratic would be a hundred times.
    assert whole < 40 * tenth + 0.02


def test_own_patterns_come_first() -> None:
    redactor = Redactor(["email"], {"staff": r"[a-z]+@corp\.example"})
    assert redactor.redact("ann@corp.example, bob@else.example") == "[staff], [email]"


def test_no_patterns_change_nothing() -> None:
    assert not Redactor()
    assert Redactor().redact("ann@example.org") == "ann@example.org"


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="'passport' is no pattern; there are email, iban"):
        Redactor(["passport"])


def test_a_file_of_patterns_is_read(tmp_path: Path) -> None:
    path = tmp_path / "patterns"
    path.write_text("# ours\n\nticket = TCK-[0-9]+\nkey=k=[a-f0-9]{8}\n", encoding="utf-8")
    patterns = read_patterns(path)
    assert patterns == {"ticket": "TCK-[0-9]+", "key": "k=[a-f0-9]{8}"}
    assert Redactor((), patterns).redact("TCK-12 k=deadbeef") == "[ticket] [key]"


BAD_LINES = {
    "no name": ("=a", "expected name=regex"),
    "no pattern": ("name=", "expected name=regex"),
    "no equals sign": ("name", "expected name=regex"),
    "a name in capitals": ("Name=a", "expected name=regex"),
    "a built-in name": ("email=a", "the name 'email' is taken"),
    "a name twice": ("one=a\none=b", "line 2: the name 'one' is taken"),
    "no regex": ("one=(", "RE2 cannot use 'one': missing"),
    "a back-reference": (r"one=(a)\1", "RE2 cannot use 'one'"),
    "look-ahead": ("one=(?=a)b", "RE2 cannot use 'one'"),
    "a pattern of everything": ("one=a*", "'one' matches the empty text"),
    "a pattern too long": ("one=" + "a" * (LONGEST_PATTERN + 1), "'one' is longer than"),
    "too many patterns": (
        "\n".join(f"n{i}=a{i}" for i in range(MOST_PATTERNS + 1)),
        "more than 100 patterns",
    ),
}


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_file_is_refused_by_line(tmp_path: Path, name: str) -> None:
    text, message = BAD_LINES[name]
    path = tmp_path / "patterns"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"patterns, line [0-9]+: ") as caught:
        read_patterns(path)
    assert message in str(caught.value)


def test_a_file_that_is_no_text_or_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "patterns"
    path.write_bytes(b"one=\xff")
    with pytest.raises(ValueError, match="utf-8"):
        read_patterns(path)
    path.write_bytes(b"#" * 300_000)
    with pytest.raises(ValueError, match="larger than"):
        read_patterns(path)


def test_a_trace_says_what_became_of_any_part() -> None:
    redactor = Redactor(["email", "card"], {"ticket": "TCK-[0-9]+"})
    text = "TCK-123 4111111111111111: Ann, ann@example.org, 1234567890123, bye"
    traced = redactor.trace(text)
    assert traced.text == redactor.redact(text)
    at = text.index("ann@")
    assert traced.part(0, len(text)) == traced.text
    assert [traced.part(at + i, at + i + 3) for i in range(0, 15, 3)] == ["[email]"] * 5
    assert traced.part(at - 5, at + 4) == "Ann, [email]"
    assert traced.part(5, 10) == "[ticket] [card]"
    assert traced.part(text.index("bye"), len(text)) == "bye"
    assert traced.part(text.index("12345"), text.index(", bye")) == "1234567890123"
