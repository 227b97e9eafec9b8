"""The services that are watched: a model, its usual texts, and texts it may get one day."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.drift import texts as sources
from benchmarks.drift.embedding import Floats32, Integers, Passed, embed
from benchmarks.drift.texts import Texts
from inference.scripts import main_script
from monitoring.drift.sample import Sample, make_sample
from monitoring.traffic import languages

BASE = "base"
REVIEW_LABELS = ("NEGATIVE", "POSITIVE")
SST2 = "sst2/train_sentences.jsonl.gz"
NEWS_TEST, NEWS_TRAIN = "ag_news/test.jsonl.gz", "ag_news/train.jsonl.gz"
TWEETS_TEST, TWEETS_TRAIN = "tweet_sentiment/test.jsonl.gz", "tweet_sentiment/train.jsonl.gz"
CAPTIONS = "translation/multi30k_2016_en_de_fr.jsonl.gz"
PREMISES = "nli/snli_test_2k.jsonl.gz"
ENCYCLOPEDIA = "lm/wikitext2_test_raw.txt.gz"
SEED = 4
# Rows of the training file of the news that are one extract in the source's order, and others.
N_ORDERED_NEWS = 1_900
N_HEAD = 3_000


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many texts of each kind are passed through a model at most."""

    base: int = 9_600
    foreign: int = 3_000
    altered: int = 1_500
    spam: int = 400


QUICK = Sizes(base=1_900, foreign=150, altered=150, spam=40)


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """`sample` holds every text's answer; `pools` name the rows of it that are of one kind, in
    their source's order. `BASE` is the usual traffic; its `actual` is known, of others it is -1.
    """

    name: str
    sample: Sample
    pools: Mapping[str, Integers]

    @property
    def base(self) -> Integers:
        return self.pools[BASE]


Answer = Callable[[Passed], Floats32]


def reviews(data: Path, starter: Path, cache: Path, sizes: Sizes) -> Service:
    """The starter model, which reads film reviews."""
    base = sources.load_classified(data / SST2).head(sizes.base)
    kinds = _kinds(data, base, sizes) | {
        "foreign topic": sources.load_classified(data / TWEETS_TEST).head(sizes.foreign),
        "other domain": sources.load_classified(data / NEWS_TEST).head(sizes.foreign),
        "new class": sources.load_premises(data / PREMISES).head(sizes.foreign),
    }
    named = Texts(base.texts, tuple(name.upper() for name in base.classes))
    return _service(
        "reviews",
        REVIEW_LABELS,
        kinds | {BASE: named},
        lambda texts: embed(texts, starter, cache),
        lambda passed: _softmax(passed.logits),
        cache,
    )


def news(data: Path, minilm: Path, cache: Path, sizes: Sizes) -> Service:
    """MiniLM with a head that tells three topics; the fourth was not known when it was made."""
    extract = sources.load_classified(data / NEWS_TRAIN)
    ordered, rest = _cut(extract, N_ORDERED_NEWS)
    test = sources.load_classified(data / NEWS_TEST)
    both = Texts(ordered.texts + test.texts, ordered.classes + test.classes).head(sizes.base)
    known, new = _split(both, "Sci/Tech")
    kinds = _kinds(data, known, sizes) | {
        "foreign topic": sources.load_classified(data / TWEETS_TEST).head(sizes.foreign),
        "other domain": sources.load_sentences(data / ENCYCLOPEDIA).head(sizes.foreign),
        "new class": new,
        BASE: known,
    }
    return _headed("news", kinds, _split(rest, "Sci/Tech")[0].head(N_HEAD), minilm, cache)


def tweets(data: Path, minilm: Path, cache: Path, sizes: Sizes) -> Service:
    """MiniLM with a head that tells the mood of a tweet; traffic in the order of one year."""
    base = sources.load_classified(data / TWEETS_TEST).head(sizes.base)
    head = sources.load_classified(data / TWEETS_TRAIN)
    chosen = np.random.default_rng(SEED).permutation(len(head))[:N_HEAD]
    drawn = Texts(tuple(head.texts[i] for i in chosen), tuple(head.classes[i] for i in chosen))
    return _headed("tweets", {BASE: base}, drawn, minilm, cache)


def _kinds(data: Path, base: Texts, sizes: Sizes) -> dict[str, Texts]:
    step = max(1, len(base) // sizes.altered)
    some = base.texts[::step][: sizes.altered]
    return {
        "foreign language": sources.load_captions(data / CAPTIONS, ("de", "fr")).head(
            sizes.foreign
        ),
        "mistyped": sources.mistyped(some, seed=SEED),
        "shortened": sources.shortened(some),
        "spam": sources.spam(sizes.spam, seed=SEED),
    }


def _cut(texts: Texts, n: int) -> tuple[Texts, Texts]:
    return texts.head(n), Texts(texts.texts[n:], texts.classes[n:])


def _split(texts: Texts, name: str) -> tuple[Texts, Texts]:
    """The texts of all other classes, and those of class `name`."""

    def chosen(is_wanted: bool) -> Texts:
        pairs = zip(texts.texts, texts.classes, strict=True)
        rows = [(text, known) for text, known in pairs if (known == name) is is_wanted]
        return Texts(tuple(text for text, _ in rows), tuple(known for _, known in rows))

    return chosen(False), chosen(True)


def _headed(
    name: str, kinds: Mapping[str, Texts], training: Texts, model: Path, cache: Path
) -> Service:
    """A service whose head is fitted to the embeddings of `training`."""
    from sklearn.linear_model import LogisticRegression

    def pass_all(texts: Sequence[str]) -> Passed:
        return embed(texts, model, cache)

    head = LogisticRegression(max_iter=1_000, C=1.0)
    head.fit(pass_all(training.texts).embeddings, training.classes)
    labels = tuple(str(label) for label in head.classes_)
    return _service(
        name,
        labels,
        kinds,
        pass_all,
        lambda passed: head.predict_proba(passed.embeddings).astype(np.float32),
        cache,
    )


def _service(
    name: str,
    labels: tuple[str, ...],
    kinds: Mapping[str, Texts],
    pass_all: Callable[[Sequence[str]], Passed],
    answer: Answer,
    cache: Path,
) -> Service:
    parts = {kind: pass_all(texts.texts) for kind, texts in kinds.items()}
    probabilities = np.concatenate([answer(passed) for passed in parts.values()])
    said = [text for kind in parts for text in kinds[kind].texts]
    sample = make_sample(
        labels=labels,
        predicted=probabilities.argmax(axis=1),
        probabilities=probabilities,
        embeddings=np.concatenate([passed.embeddings for passed in parts.values()]),
        n_tokens=np.concatenate([passed.n_tokens for passed in parts.values()]),
        n_unknown=np.concatenate([passed.n_unknown for passed in parts.values()]),
        texts=said,
        scripts=[main_script(text) for text in said],
        languages=_languages(said, cache),
        actual=np.concatenate([_actual(kinds[kind], labels) for kind in parts]),
    )
    ends = np.cumsum([len(kinds[kind]) for kind in parts])
    pools = {
        kind: np.arange(end - len(kinds[kind]), end)
        for kind, end in zip(parts, ends.tolist(), strict=True)
    }
    return Service(name=name, sample=sample, pools=pools)


def _languages(texts: Sequence[str], cache: Path) -> list[str]:
    """As the service tells them apart, a bounded number at a time; kept like embeddings."""
    digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()[:32]
    kept = cache / f"{digest}.languages.json"
    if kept.is_file():
        return list(json.loads(kept.read_bytes()))
    languages.load()
    step = languages.MOST_PER_CALL
    parts = (languages.detect(texts[at : at + step]) for at in range(0, len(texts), step))
    found = [language for part in parts for language in part]
    cache.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(found))
    return found


def _actual(texts: Texts, labels: tuple[str, ...]) -> Integers:
    known = texts.classes or ("",) * len(texts)
    return np.array([labels.index(name) if name in labels else -1 for name in known], np.int64)


def _softmax(logits: Floats32) -> Floats32:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), dtype=np.float32)
