"""Which language a text is in, by py3langid: a guess, good enough to see a share change.

Its model takes about a second to load, so that happens beside the writer; texts that come before
are of no known language.
"""

import logging
import threading
from collections.abc import Callable, Sequence

logger = logging.getLogger(__name__)

LOOKED_AT_CHARS = 1000
# About 20 µs each.
MOST_PER_CALL = 500
Classify = Callable[[str], tuple[str, float]]

_lock = threading.Lock()
_loading: threading.Thread | None = None
_classify: Classify | None = None


def load() -> None:
    """Load the model, if it is not loaded yet."""
    global _classify
    from py3langid.langid import classify

    classify("a text to load the model for")
    _classify = classify


def detect(texts: Sequence[str | None]) -> list[str]:
    """An ISO 639-1 code for each text; empty for None, for no letters, or before it is loaded."""
    if not any(texts):
        return [""] * len(texts)
    classify = _classify
    if classify is None:
        _load_beside()
        return [""] * len(texts)
    looked_at = texts[:MOST_PER_CALL]
    found = [_language(classify, text) for text in looked_at]
    return found + [""] * (len(texts) - len(looked_at))


def _language(classify: Classify, text: str | None) -> str:
    if text is None or not any(map(str.isalpha, text[:LOOKED_AT_CHARS])):
        return ""
    return classify(text[:LOOKED_AT_CHARS])[0]


def _load_beside() -> None:
    global _loading
    with _lock:
        if _loading is None:
            _loading = threading.Thread(target=_load_or_say, name="languages", daemon=True)
            _loading.start()


def _load_or_say() -> None:
    try:
        load()
    except Exception:
        logger.exception("languages are not told apart: their model could not be loaded")
