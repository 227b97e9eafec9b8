"""From a version to a predictor that may get traffic, step by step, each with its evidence."""

import logging
import re
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from access.errors import BellwetherError
from inference.predictor import Predictor
from inference.swap import admission, golden, memory, warming
from inference.swap.attempts import MAX_CRASHES, Attempts
from inference.swap.ports import Desk, NullDesk, Room
from inference.swap.states import CannotServe, Identity, SwapState, Track, identity_of
from registry.specs import VersionKind, VersionSpec

log = logging.getLogger(__name__)

MAX_REASON_CHARS = 300
_PATH = re.compile(r"(?:[A-Za-z]:)?(?:[\\/][\w.@%+~-]+){2,}[\\/]?")


class Preparer:
    """Takes a version from REGISTERED to READY on the caller's thread; that takes seconds.

    Without `tries_out` a version is only staged and loaded. `room` None admits everything,
    `attempts` None forgets crashes. What has passed once in this process is only loaded when it
    comes back: its files are the same, and somebody waits for it.
    """

    def __init__(
        self,
        load: Callable[[VersionSpec], Predictor],
        *,
        desk: Desk | None = None,
        room: Room | None = None,
        attempts: Attempts | None = None,
        tries_out: bool = True,
    ) -> None:
        self._load, self._desk, self._room = load, desk or NullDesk(), room
        self._attempts, self._tries_out = attempts, tries_out
        self._overhead = 0
        self._passed: set[Identity] = set()

    def prepare(self, track: Track, generation: int) -> Predictor:
        """Return the READY predictor of `track` (at REGISTERED) for this generation of its routes.

        Raises CannotServe, with the track at FAILED; memory that a failed load took is given back.
        """
        try:
            return self._prepare(track, generation)
        except CannotServe as refusal:
            failure = refusal
        except BellwetherError as error:
            is_final = error.code != "database_unavailable"
            failure = CannotServe(error.code, error.message, is_final=is_final)
        except Exception as error:
            log.exception("cannot load %s v%s", track.spec.model, track.spec.number)
            text = f"{type(error).__name__}: {error}"
            failure = CannotServe("load_failed", text, is_final=False)
        failure.message = without_paths(failure.message)
        track.fail(failure.code, failure.message)
        # Only now: the error's traceback held the half-loaded model.
        before, after = memory.release()
        track.note(rss_after_bytes=after, freed_bytes=max(0, before - after))
        raise failure

    def weigh(self, spec: VersionSpec) -> int:
        """Bytes of the version's weights once loaded; 0 for what another machine answers."""
        if self._room is None or spec.kind is not VersionKind.FILES:
            return 0
        return self._room.weigh(spec)

    def shortfall(self, specs: Sequence[VersionSpec]) -> int:
        """Bytes that are missing to load all of `specs` one after another; 0 when they fit."""
        weights = sum(map(self.weigh, specs))
        if self._room is None or not weights:
            return 0
        return admission.Admission(self._room.read(), self._estimate(weights)).shortfall

    def _estimate(self, weights: int) -> int:
        copies = self._room.peak_copies if self._room else 1.0
        return admission.estimate(weights, copies=copies, overhead=self._overhead)

    def _prepare(self, track: Track, generation: int) -> Predictor:
        spec = track.spec
        self._check_crashes(spec, generation)
        track.note(**self._desk.stage(spec))
        track.move(SwapState.VERIFIED)
        weights = self._admit(track)
        track.move(SwapState.STAGED)
        with self._marked(spec, generation):
            track.move(SwapState.LOADING)
            rss, started = memory.read_rss(), time.perf_counter()
            predictor = self._load(spec)
            took_s = round(time.perf_counter() - started, 4)
            measured = max(0, memory.read_rss() - rss)
            track.move(SwapState.SMOKE, load_s=took_s, measured_bytes=measured)
            self._try_out(predictor, track)
        self._overhead = max(0, measured - weights)
        track.move(SwapState.READY, rss_bytes=memory.read_rss())
        return predictor

    def _try_out(self, predictor: Predictor, track: Track) -> None:
        tries_out = self._tries_out and identity_of(predictor.spec) not in self._passed
        if tries_out:
            track.note(**golden.check_smoke(predictor))
            track.note(**self._check_golden(predictor))
        track.move(SwapState.WARMING)
        if tries_out and predictor.spec.kind is VersionKind.FILES:
            track.note(**warming.warm_up(predictor))
        self._passed.add(identity_of(predictor.spec))

    def _check_golden(self, predictor: Predictor) -> dict[str, Any]:
        known = self._desk.load_golden(predictor.spec)
        if known is None:
            known = golden.make_golden(predictor)
            found = golden.check_golden(predictor, known)
            self._desk.keep_golden(predictor.spec, known)
            return found | {"golden_made": "while loading: the version had none"}
        return golden.check_golden(predictor, known)

    def _admit(self, track: Track) -> int:
        if self._room is None or track.spec.kind is not VersionKind.FILES:
            return 0
        weights = self._room.weigh(track.spec)
        estimated = self._estimate(weights)
        available = self._room.read()
        track.note(**admission.Admission(available, estimated).facts())
        admission.admit(available, estimated)
        return weights

    def _check_crashes(self, spec: VersionSpec, generation: int) -> None:
        n_crashes = self._attempts.count_crashes(spec, generation) if self._attempts else 0
        if n_crashes >= MAX_CRASHES:
            raise CannotServe(
                "crash_suspect",
                f"the server ended {n_crashes} times while it was being loaded; it is not tried "
                "again until a retry is asked for or the routes change",
            )

    def _marked(self, spec: VersionSpec, generation: int) -> AbstractContextManager[None]:
        return self._attempts.trying(spec, generation) if self._attempts else nullcontext()


def without_paths(text: str) -> str:
    """`text` short, and without the server's paths: it is shown to callers."""
    return _PATH.sub("(a path)", " ".join(text.split()))[:MAX_REASON_CHARS]
