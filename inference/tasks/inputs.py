"""What callers may send as one input: a text, or texts that belong together. Pure."""

import msgspec

_BETWEEN = "\n"


class TextPair(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Two texts that the model reads together."""

    text: str
    text_pair: str

    @property
    def texts(self) -> tuple[str, ...]:
        return self.text, self.text_pair


class Question(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A question, and the text that holds its answer."""

    question: str
    context: str

    @property
    def texts(self) -> tuple[str, ...]:
        return self.question, self.context


class Comparison(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A sentence, and those it is compared with."""

    source_sentence: str
    sentences: tuple[str, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        return self.source_sentence, *self.sentences


class Message(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    role: str
    content: str


class Conversation(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Messages, oldest first, which the model is to go on with."""

    messages: tuple[Message, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(message.content for message in self.messages)

    def as_dicts(self) -> list[dict[str, str]]:
        """The messages as chat templates take them."""
        return [{"role": each.role, "content": each.content} for each in self.messages]


Input = str | TextPair | Question | Comparison | Conversation


def as_list(inputs: Input | list[Input]) -> list[Input]:
    return inputs if isinstance(inputs, list) else [inputs]


def texts_of(item: Input) -> tuple[str, ...]:
    """Every text in one input."""
    return (item,) if isinstance(item, str) else item.texts


def n_chars(item: Input) -> int:
    return len(item) if isinstance(item, str) else sum(map(len, item.texts))


def as_text(item: Input) -> str:
    """One input as the one text that is kept of it."""
    return item if isinstance(item, str) else _BETWEEN.join(item.texts)


def counted_from(item: Input) -> int:
    """Where in that text the places of answers are counted from: a question's in its context."""
    return len(item.question) + len(_BETWEEN) if isinstance(item, Question) else 0
