"""Who watches the engine, and why watching cannot hurt it."""

from collections.abc import Callable
from typing import ParamSpec, Protocol

import structlog

log = structlog.get_logger(__name__)
P = ParamSpec("P")


class Observer(Protocol):
    """Told what happened, on the thread where it happened: be quick, and callable from several."""

    def batch_done(self, n: int, padded_tokens: int, real_tokens: int, inference_s: float) -> None:
        """A batch of `n` entries has run and is settled, some of them perhaps with InputFailed."""

    def refused(self, code: str) -> None:
        """A whole request ended without an answer: the code of the error its caller sees."""

    def abandoned(self, n: int) -> None:
        """`n` entries left the queue without a batch: their callers had gone, or had failed."""


class NullObserver:
    """Watches nothing."""

    def batch_done(
        self, n: int, padded_tokens: int, real_tokens: int, inference_s: float
    ) -> None: ...

    def refused(self, code: str) -> None: ...

    def abandoned(self, n: int) -> None: ...


class ShieldedObserver:
    """Passes everything on and swallows what `inner` raises; the first failure is logged."""

    def __init__(self, inner: Observer) -> None:
        self._inner = inner
        self._has_failed = False

    def batch_done(self, n: int, padded_tokens: int, real_tokens: int, inference_s: float) -> None:
        self._tell(self._inner.batch_done, n, padded_tokens, real_tokens, inference_s)

    def refused(self, code: str) -> None:
        self._tell(self._inner.refused, code)

    def abandoned(self, n: int) -> None:
        self._tell(self._inner.abandoned, n)

    def _tell(self, event: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            event(*args, **kwargs)
        except Exception as error:
            if not self._has_failed:
                self._has_failed = True
                log.error("engine.observer_failed", exc_info=error)
