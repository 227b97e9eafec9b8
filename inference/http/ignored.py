"""One rule for what a client sends and nobody here knows: it is ignored, and named in a header.

It holds in the dialects that clients speak which were not made for this server: they send what
other servers know. `X-Bellwether-Warning` is the header; Hugging Face's client logs `X-HF-Warning`,
which has the same words. What is known and wrong is refused.
"""

from collections.abc import Sequence

WARNING = "X-Bellwether-Warning"
MAX_NAMED = 5


def warn(names: Sequence[str], who: str) -> dict[str, str]:
    """Return the header that says what `who` does not use; nothing where there is nothing."""
    said = sentence(names, who)
    return {WARNING: said} if said else {}


def sentence(names: Sequence[str], who: str) -> str:
    """What was ignored: topic, semicolon, text. Empty when nothing was."""
    if not names:
        return ""
    named = sorted(names)
    shown = ", ".join(_printable(name) for name in named[:MAX_NAMED])
    more = f" and {len(named) - MAX_NAMED} more" if len(named) > MAX_NAMED else ""
    return f"Ignored parameters; {who} does not use {shown}{more}"


def _printable(name: str) -> str:
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in name)[:60]
