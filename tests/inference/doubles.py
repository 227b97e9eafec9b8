"""Predictors without a model: words for tokens, scripted answers, a gate that holds passes."""

import asyncio
import threading
import zlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from inference.errors import InputFailed, QueueFull
from inference.http.writing import Begun, Event, Finished, Order, Piece
from inference.predictor import Predictor
from inference.tasks.inputs import TextPair
from inference.tasks.ports import Decoded, Encoded, Forwarded, Prepared
from inference.tasks.text_classification import TextClassificationParameters, apply_function
from registry.specs import (
    DesiredState,
    ModelRoutes,
    Pooling,
    RouteMode,
    RouteSpec,
    Stickiness,
    VersionSpec,
)

LABELS = ("NEGATIVE", "POSITIVE")
DIGEST = "d" * 64


def a_spec(number: int = 1, model: str = "team/model") -> VersionSpec:
    return VersionSpec(
        model=model,
        number=number,
        digest=f"{number:064d}",
        task="text-classification",
        labels=LABELS,
        pooling=Pooling.MEAN,
        view=Path("/nowhere"),
        n_bytes=1,
    )


def word_id(word: str) -> int:
    """One id for one word, the same in every run."""
    return zlib.crc32(word.encode())


class WordTask:
    """A token a word; `good` makes a text positive."""

    accepts = (str, TextPair)
    parameters_type = TextClassificationParameters
    defaults = TextClassificationParameters()
    max_tokens = 512

    def example(self, text: str) -> str:
        return text

    def encode(self, inputs: Sequence[Any], parameters: Any, *, short: bool) -> list[Encoded]:
        return [
            Encoded([word_id(word) for word in str(text).split()], None, False) for text in inputs
        ]

    def decode(
        self,
        prepared: Prepared,
        outputs: Sequence[Forwarded],
        parameters: TextClassificationParameters,
    ) -> Decoded:
        scores = apply_function("softmax", outputs[0].logits.tolist())
        best = max(range(len(LABELS)), key=scores.__getitem__)
        fields: dict[str, Any] = {"label": LABELS[best], "score": scores[best]}
        if parameters.top_k != 1:
            ranked = sorted(zip(LABELS, scores, strict=True), key=lambda pair: -pair[1])
            fields["scores"] = [{"label": label, "score": score} for label, score in ranked][
                : parameters.top_k
            ]
        return Decoded(fields, LABELS[best], scores[best], dict(zip(LABELS, scores, strict=True)))


class ScriptedRuntime:
    """Fails on texts with the word `poison`; waits for `gate` when there is one."""

    device = "fake"

    def __init__(self, gate: threading.Event | None = None) -> None:
        self.batches: list[list[Encoded]] = []
        self.entered = threading.Event()
        self._gate = gate

    def forward(self, batch: Sequence[Encoded]) -> list[Forwarded]:
        self.batches.append(list(batch))
        self.entered.set()
        if self._gate is not None and not self._gate.wait(10):
            raise TimeoutError("nobody opened the gate")
        if any(word_id("poison") in encoded.ids for encoded in batch):
            raise RuntimeError("secret internals: poison")
        return [self._answer(encoded) for encoded in batch]

    def _answer(self, encoded: Encoded) -> Forwarded:
        good = float(word_id("good") in encoded.ids)
        logits = np.array([1 - good, good], dtype=np.float32)
        return Forwarded(logits, np.full(4, good, dtype=np.float32))


def a_predictor(spec: VersionSpec | None = None, gate: threading.Event | None = None) -> Predictor:
    return Predictor(spec=spec or a_spec(), task=WordTask(), runtime=ScriptedRuntime(gate))


class ScriptedWriter:
    """Writes `Good day`; some last words of an order make it do otherwise. Counts what it ends.

    `busy` is refused, `poison` and `bug` fail after the first piece, `endless` goes on until nobody
    reads, `stuck` says nothing after the first piece.
    """

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.n_ended = 0
        self.ended = threading.Event()

    async def write(self, order: Order) -> AsyncGenerator[Event, None]:
        self.orders.append(order)
        text = order.turns[-1].text if order.turns else str(order.prompts[0])
        if text == "busy":
            raise QueueFull("Too many wait. Try again.", retry_after_s=3)
        try:
            yield Begun(a_spec(model=order.model), len(text.split()))
            yield Piece(0, "Good")
            if text == "poison":
                raise InputFailed("The model fails on this input. Change the input.")
            if text == "bug":
                raise KeyError("secret internals")
            if text == "stuck":
                await asyncio.Event().wait()
            while text == "endless":
                await asyncio.sleep(0.001)
                yield Piece(0, " and good")
            for index in range(1, order.n):
                yield Piece(index, "Another")
                yield Finished(index, "length", 1)
            yield Piece(0, " day")
            yield Finished(0, "stop", 2)
        finally:
            self.n_ended += 1
            self.ended.set()


class FakeRegistry:
    """Says what should be served; may be out of reach."""

    def __init__(self) -> None:
        self.state = DesiredState(generation=0, models={})
        self.is_down = False

    def route(self, *routes: tuple[VersionSpec, int], model: str = "team/model") -> None:
        specs = tuple(
            RouteSpec(version=version, mode=RouteMode.LIVE, weight=weight)
            for version, weight in routes
        )
        generation = self.state.generation + 1
        routes = ModelRoutes(
            generation=generation,
            desired=specs,
            committed_generation=generation,
            committed=specs,
            salt="salt",
            stickiness=Stickiness.KEY,
        )
        self.state = DesiredState(
            generation=generation, models={**self.state.models, model: routes}
        )

    def pin(self, model: str, *, is_pinned: bool = True) -> None:
        models = self.state.models
        models = {**models, model: replace(models[model], is_pinned=is_pinned)}
        self.state = DesiredState(generation=self.state.generation + 1, models=models)

    def load_generation(self) -> int:
        if self.is_down:
            raise OSError("the database is away")
        return self.state.generation

    def load_desired_state(self) -> DesiredState:
        self.load_generation()
        return self.state


NO_PARAMETERS = msgspec.Raw(b"{}")
