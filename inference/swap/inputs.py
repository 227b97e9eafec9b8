"""Texts that every version is tried out on: many scripts, lengths and oddities, always the same."""

GOLDEN_INPUTS = (
    "I did not expect to like this film, but it is wonderful.",
    "The plot is thin, the acting wooden and the ending a disaster.",
    "Delivered on Tuesday in a plain brown box.",
    "Das Essen war kalt, aber die Bedienung blieb freundlich.",
    "Je recommande ce livre à tous ceux qui aiment la mer.",
    "La batería dura poco y el cargador se rompió en una semana.",
    "这家店的服务很好，下次还会再来。",
    "とても静かで、よく眠れました。",
    "Фильм затянут, но музыка прекрасна.",
    "المكان نظيف والموظفون لطفاء.",
    "यह फ़ोन जल्दी गरम हो जाता है।",
    "10/10 would buy again!!! 😍🔥👍🏽",
)

LONG = "It goes on and on, one scene after another, without an end in sight. " * 120
EDGES = {
    "empty": "",
    "one character": "a",
    "emoji": "😀👩‍👩‍👧‍👦🇺🇳",
    "long": LONG,
    "odd spaces": "\u00a0\u3000a\u200b b\ufeff",
}
"""By name: inputs at the edge, which must get an answer, whichever it is."""
