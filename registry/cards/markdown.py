"""Markdown to HTML that is safe to show (pure): no raw HTML, no scripts, nothing loaded.

Raw HTML is shown as the text that it is, images become links, and a link with a scheme other than
http, https or mailto is no link.
"""

import re
from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt

MAX_CHARS = 200_000

_SAFE_LINK = re.compile(r"(?:https?:|mailto:|#)", re.IGNORECASE)


def to_html(text: str) -> str:
    """The HTML of `text`, of which no more than MAX_CHARS are shown.

    >>> to_html("<b>a</b> [x](javascript:alert(1))")
    '<p>&lt;b&gt;a&lt;/b&gt; [x](javascript:alert(1))</p>\\n'
    """
    cut = text if len(text) <= MAX_CHARS else f"{text[:MAX_CHARS]}\n\n(cut here)"
    html: str = _PARSER.render(cut)
    return html


def _make_parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    parser.validateLink = lambda url: bool(_SAFE_LINK.match(url.strip()))  # type: ignore[method-assign]
    parser.add_render_rule("link_open", _open_link)
    return parser


def _open_link(self: Any, tokens: Sequence[Any], at: int, options: Any, env: Any) -> str:
    tokens[at].attrSet("rel", "noopener noreferrer nofollow")
    rendered: str = self.renderToken(tokens, at, options, env)
    return rendered


_PARSER = _make_parser()
