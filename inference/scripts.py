"""Which writing system a text is in, by a look at its first characters. Pure.

The codes are those of ISO 15924; blocks are Unicode's, taken together where one script has several.
"""

from bisect import bisect_right
from collections import Counter

MOST_CHARS = 200
# Japanese is written in its own syllables and Chinese characters; so many of the former tell.
JAPANESE_SHARE = 0.1

# Where blocks begin, in order; what lies in "" is of no script, or of none that is told apart.
_BLOCKS: tuple[tuple[int, str], ...] = (
    (0x0000, "Latn"),
    (0x0370, "Grek"),
    (0x0400, "Cyrl"),
    (0x0530, "Armn"),
    (0x0590, "Hebr"),
    (0x0600, "Arab"),
    (0x0700, "Syrc"),
    (0x0750, "Arab"),
    (0x0780, "Thaa"),
    (0x07C0, "Nkoo"),
    (0x0800, ""),
    (0x0860, "Arab"),
    (0x0900, "Deva"),
    (0x0980, "Beng"),
    (0x0A00, "Guru"),
    (0x0A80, "Gujr"),
    (0x0B00, "Orya"),
    (0x0B80, "Taml"),
    (0x0C00, "Telu"),
    (0x0C80, "Knda"),
    (0x0D00, "Mlym"),
    (0x0D80, "Sinh"),
    (0x0E00, "Thai"),
    (0x0E80, "Laoo"),
    (0x0F00, "Tibt"),
    (0x1000, "Mymr"),
    (0x10A0, "Geor"),
    (0x1100, "Hang"),
    (0x1200, "Ethi"),
    (0x13A0, "Cher"),
    (0x1400, "Cans"),
    (0x1680, ""),
    (0x1780, "Khmr"),
    (0x1800, "Mong"),
    (0x18B0, "Cans"),
    (0x1900, ""),
    (0x1C80, "Cyrl"),
    (0x1C90, "Geor"),
    (0x1CC0, ""),
    (0x1D00, "Latn"),
    (0x1F00, "Grek"),
    (0x2000, ""),
    (0x2C60, "Latn"),
    (0x2C80, "Copt"),
    (0x2D00, "Geor"),
    (0x2D30, "Tfng"),
    (0x2D80, "Ethi"),
    (0x2DE0, "Cyrl"),
    (0x2E00, ""),
    (0x2E80, "Hani"),
    (0x3000, ""),
    (0x3040, "Jpan"),
    (0x3100, "Bopo"),
    (0x3130, "Hang"),
    (0x3190, ""),
    (0x31F0, "Jpan"),
    (0x3200, ""),
    (0x3400, "Hani"),
    (0xA000, "Yiii"),
    (0xA4D0, ""),
    (0xA640, "Cyrl"),
    (0xA6A0, ""),
    (0xA720, "Latn"),
    (0xA800, ""),
    (0xA8E0, "Deva"),
    (0xA900, ""),
    (0xA960, "Hang"),
    (0xA980, ""),
    (0xAC00, "Hang"),
    (0xD800, ""),
    (0xF900, "Hani"),
    (0xFB00, "Latn"),
    (0xFB13, "Armn"),
    (0xFB1D, "Hebr"),
    (0xFB50, "Arab"),
    (0xFE00, ""),
    (0xFE70, "Arab"),
    (0xFF00, "Latn"),
    (0xFF66, "Jpan"),
    (0xFFA0, "Hang"),
    (0xFFE0, ""),
    (0x20000, "Hani"),
    (0x40000, ""),
)
_STARTS = [start for start, _ in _BLOCKS]
_CODES = [code for _, code in _BLOCKS]


def main_script(text: str) -> str:
    """The script of most letters that `text` begins with; empty for one without any.

    >>> main_script("Привет, world"), main_script("これは日本語"), main_script("2 + 2 = 4")
    ('Cyrl', 'Jpan', '')
    """
    head = text[:MOST_CHARS]
    if _is_western(head):
        return "Latn" if any(map(str.isalpha, head)) else ""
    counts: dict[str, int] = {}
    # Each different character is looked up once.
    for char, n in Counter(head).items():
        if char.isalpha() and (code := _CODES[bisect_right(_STARTS, ord(char)) - 1]):
            counts[code] = counts.get(code, 0) + n
    if counts.get("Jpan", 0) > JAPANESE_SHARE * sum(counts.values()):
        counts["Jpan"] += counts.pop("Hani", 0)
    return max(sorted(counts), key=counts.__getitem__, default="")


def _is_western(text: str) -> bool:
    """Whether all characters are of Latin-1: decided in C, so most texts cost next to nothing."""
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True
