"""One request's events, as its caller reads them."""

from collections.abc import Callable

from inference.generation.delivery import Subscription
from inference.generation.events import Event


class EventStream:
    """An async iterator over one request's events; ends after every sequence's last event.

    Leave it (`aclose`, or the end of `async with`) to take its rows out of the batch.
    """

    def __init__(
        self, subscription: Subscription, stir: Callable[[], None], leave: Callable[[], None]
    ) -> None:
        self._subscription = subscription
        self._stir = stir
        self._leave = leave
        self._has_left = False
        self._timer = subscription.loop.call_later(
            subscription.deadline - subscription.queued_at, subscription.expire
        )

    def __aiter__(self) -> "EventStream":
        return self

    async def __anext__(self) -> Event:
        try:
            event = await self._subscription.read()
        except BaseException:
            await self.aclose()
            raise
        if self._subscription.paused_at is not None:
            self._stir()
        if event is None:
            await self.aclose()
            raise StopAsyncIteration
        return event

    async def aclose(self) -> None:
        """Cancel what is left; harmless when nothing is."""
        if self._has_left:
            return
        self._has_left = True
        self._timer.cancel()
        if not self._subscription.is_closed:
            self._subscription.close()
            self._stir()
        self._leave()

    async def __aenter__(self) -> "EventStream":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
