"""The versions in this process's memory: who answers, who is kept for a roll-back, who goes.

One thread changes it. A predictor that is let go here lives on while a batch or a request holds it.
"""

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from inference.predictor import Predictor
from inference.serving import NOTHING_LOADED, ServedModel
from inference.swap import memory
from inference.swap.states import IN_MEMORY, Identity, SwapState, Track, identity_of
from registry.specs import VersionSpec

DRAIN_S = 30.0
# Before something is loaded in its place, so long (together 2 s) is waited for what drains.
N_WAITS, WAIT_S = 100, 0.02
# A model's standby included. What the routes ask for themselves is not cut down by this.
MAX_COPIES = 2
# Tracks of versions that are gone are kept for people to look at.
MAX_PAST = 8

Drained = Callable[[Predictor], bool]


class Fleet:
    """`clock` is monotonic, `wall_clock` what tracks show; seconds both. `drained` says whether
    nothing of a predictor waits or runs any more.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        drained: Drained,
        rollback_window_s: float,
    ) -> None:
        self._clock, self._wall_clock, self._drained = clock, wall_clock, drained
        self._window_s = rollback_window_s
        self._held: dict[Identity, Predictor] = {}
        self._tracks: dict[Identity, Track] = {}
        self._standby: dict[str, Identity] = {}
        self._since: dict[Identity, float] = {}
        self._unmeasured: list[Track] = []

    def get(self, spec: VersionSpec) -> Predictor | None:
        return self._held.get(identity_of(spec))

    def specs(self) -> list[VersionSpec]:
        """Every version in memory."""
        return [predictor.spec for predictor in self._held.values()]

    def open_track(self, spec: VersionSpec) -> Track:
        """The version's track, at REGISTERED again."""
        identity = identity_of(spec)
        track = self._tracks.get(identity)
        if track is None:
            track = Track(spec, self._wall_clock)
        else:
            track.move(SwapState.REGISTERED)
        # Replaced, not changed: another thread may be reading. The newest comes last.
        others = {i: each for i, each in self._tracks.items() if i != identity}
        self._tracks = {**others, identity: track}
        return track

    def reason(self, spec: VersionSpec) -> str:
        """Why the version failed; empty if it did not."""
        track = self._tracks.get(identity_of(spec))
        return f"v{spec.number}: {track.reason}" if track and track.reason else ""

    def add(self, predictor: Predictor) -> None:
        self._held[identity_of(predictor.spec)] = predictor

    def standby(self, model: str) -> tuple[Predictor, ...]:
        identity = self._standby.get(model)
        return (self._held[identity],) if identity in self._held else ()

    def standbys(self, *, besides: str) -> list[VersionSpec]:
        """What waits for a roll-back of another model than `besides`, the longest waiting first."""
        found = [i for model, i in self._standby.items() if model != besides and i in self._held]
        found.sort(key=lambda identity: self._since.get(identity, 0.0))
        return [self._held[identity].spec for identity in found]

    def unload(self, spec: VersionSpec, why: str) -> None:
        """Let go of a version in memory, which the table must not have any more."""
        if identity_of(spec) in self._held:
            self._unload(identity_of(spec), why)

    def make_room(self, model: str, needed: Collection[VersionSpec]) -> bool:
        """Let go of what only waits for a roll-back, so that one more copy of `model` may come.

        True if something went: it is out of memory once the table no longer has it.
        """
        keep = {identity_of(spec) for spec in needed}
        mine = [identity for identity in self._held if identity[0] == model]
        for identity in [each for each in mine if each not in keep]:
            is_idle = self._tracks[identity].state in (SwapState.DRAINING, SwapState.STANDBY)
            if len(mine) >= MAX_COPIES and is_idle:
                self._wait_drained(self._held[identity])
                self._unload(identity, "made room for another version")
        return bool(self._unmeasured)

    def _wait_drained(self, predictor: Predictor) -> None:
        # What still runs keeps its weights in memory, where the next version is about to go.
        for _ in range(N_WAITS):
            if self._drained(predictor):
                return
            time.sleep(WAIT_S)

    def assign_roles(
        self, before: Mapping[str, ServedModel], now: Mapping[str, ServedModel]
    ) -> None:
        """Follow a change of the table: what it has now is active, what it has no more goes."""
        for served in now.values():
            for role, routes in (("live", served.live), ("shadow", served.shadows)):
                for route in routes:
                    self.activate(route.predictor, role)
        for model, served in before.items():
            kept = {id(each) for each in now.get(model, NOTHING_LOADED).predictors()}
            # The stable one last: of several that go, it is the one to return to.
            for predictor in reversed(served.predictors()):
                if id(predictor) not in kept:
                    is_live = any(route.predictor is predictor for route in served.live)
                    self.retire(predictor, keep=is_live and model in now)

    def activate(self, predictor: Predictor, role: str) -> None:
        """It gets traffic from now on; `role` is live or shadow."""
        identity = identity_of(predictor.spec)
        track = self._tracks[identity]
        if track.state is not SwapState.ACTIVE:
            track.move(SwapState.ACTIVE)
        track.note(role=role)
        self._since.pop(identity, None)
        if self._standby.get(predictor.spec.model) == identity:
            del self._standby[predictor.spec.model]

    def retire(self, predictor: Predictor, *, keep: bool) -> None:
        """It gets no new traffic; once drained it is a standby if `keep`, else it goes."""
        identity = identity_of(predictor.spec)
        track = self._tracks[identity]
        if track.state is SwapState.ACTIVE:
            track.move(SwapState.DRAINING)
        self._since[identity] = self._clock()
        model = predictor.spec.model
        if keep and self._window_s > 0:
            former = self._standby.get(model)
            self._standby[model] = identity
            if former is not None and former != identity:
                self._unload(former, "another version is kept for a roll-back")

    def drop(self, needed: Collection[Identity], models: Collection[str]) -> None:
        """Unload what was prepared and is not wanted any more, and all of models that are gone."""
        for identity in list(self._held):
            is_stale = self._tracks[identity].state is SwapState.READY and identity not in needed
            if is_stale or identity[0] not in models:
                self._unload(identity, "not wanted any more")
        gone = [i for i, t in self._tracks.items() if t.state not in IN_MEMORY and i not in needed]
        excess = {i for i in gone if i[0] not in models} | set(gone[:-MAX_PAST])
        self._tracks = {i: track for i, track in self._tracks.items() if i not in excess}

    def tend(self) -> bool:
        """Follow what drains or stands by; True if a standby has gone or is new."""
        has_changed = False
        for identity, since in list(self._since.items()):
            track, predictor = self._tracks[identity], self._held.get(identity)
            waited_s = self._clock() - since
            if predictor is None:
                del self._since[identity]
            elif track.state is SwapState.DRAINING:
                has_changed |= self._tend_draining(identity, predictor, waited_s)
            elif waited_s >= self._window_s:
                self._unload(identity, "the rollback window is over")
                has_changed = True
        return has_changed

    def release(self) -> None:
        """Give the memory of unloaded versions back, once the table no longer has them."""
        if self._unmeasured:
            before, after = memory.release()
            for track in self._unmeasured:
                track.note(rss_after_bytes=after, freed_bytes=max(0, before - after))
            self._unmeasured = []

    def facts(self) -> dict[str, list[dict[str, Any]]]:
        """The facts of all versions by model; may be called by any thread."""
        by_model: dict[str, list[dict[str, Any]]] = {}
        for identity, track in self._tracks.items():
            by_model.setdefault(identity[0], []).append(track.facts())
        return by_model

    def _tend_draining(self, identity: Identity, predictor: Predictor, waited_s: float) -> bool:
        is_drained = self._drained(predictor)
        if not is_drained and waited_s < DRAIN_S:
            return False
        track = self._tracks[identity]
        track.note(is_drained=is_drained, drain_s=round(waited_s, 3))
        if self._standby.get(identity[0]) != identity:
            self._unload(identity, "nothing routes to it")
            return False
        track.move(SwapState.STANDBY)
        self._since[identity] = self._clock()
        return True

    def _unload(self, identity: Identity, why: str) -> None:
        track, model = self._tracks[identity], identity[0]
        if track.state is SwapState.ACTIVE:
            track.move(SwapState.DRAINING)
        self._held.pop(identity, None)
        self._since.pop(identity, None)
        if self._standby.get(model) == identity:
            del self._standby[model]
        track.move(SwapState.UNLOADED, unloaded_because=why)
        self._unmeasured.append(track)
