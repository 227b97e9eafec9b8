"""The only writer of rollouts: people start and stop them, the analysis moves them on."""

import logging
import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import numpy as np
from django.db import IntegrityError, transaction

from access.errors import BellwetherError
from monitoring.errors import InvalidRollout, RolloutConflict, RolloutNotFound
from monitoring.models import Rollout, RolloutState
from monitoring.rollouts import moves
from monitoring.rollouts.deciding import Decision, Ruling, Step, decide
from monitoring.rollouts.evidence import Evidence, Totals, as_json, from_json, look
from monitoring.rollouts.loading import load_totals, origin_of
from monitoring.rollouts.options import DEFAULT_STEPS, Options, parse_options, parse_steps
from monitoring.rollouts.options import as_json as options_json
from registry import queries as registry
from registry.routes import WHOLE

logger = logging.getLogger(__name__)

OPEN = (RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.BAKING)


def start(
    model: str,
    candidate: int,
    *,
    steps: Sequence[int] = DEFAULT_STEPS,
    options: object = None,
    actor: str,
    now: datetime,
) -> Rollout:
    """Give `candidate` its first share of the traffic, and watch it from now on.

    Raises InvalidRollout, RolloutConflict where one is under way, and what the registry raises:
    ModelNotFound, VersionNotFound, VersionNotRoutable, IncompatibleVersion…
    """
    weights, checked = parse_steps(steps), parse_options({} if options is None else options)
    live = registry.load_live_version(model)
    if live is None:
        raise InvalidRollout(
            f"{model} has no live version to compare with: promote one first.",
            details={"field": "model"},
        )
    registry.load_version(model, candidate)
    if live.number == candidate:
        raise InvalidRollout(
            f"candidate: version {candidate} is live already.", details={"field": "candidate"}
        )
    try:
        with transaction.atomic():
            rollout = Rollout.objects.create(
                model=model,
                candidate=candidate,
                stable=live.number,
                state=RolloutState.RUNNING,
                steps=list(weights),
                options=options_json(checked),
                evidence=as_json(Evidence()),
                created_by=actor,
                created_at=now,
                step_started_at=now,
            )
            moves.give_weight(rollout, weights[0], actor=actor)
            moves.note(rollout, "start", "Started.", now=now, actor=actor)
            _look(rollout, now)
            if weights[0] == WHOLE:
                moves.bake(rollout, checked, now)
            rollout.save()
    except IntegrityError as error:
        raise RolloutConflict(
            f"{model} has a rollout under way: wait for it, or abort it.",
            details={"model": model},
        ) from error
    return rollout


def analyse_open(now: datetime) -> int:
    """Look at every rollout under way and act on what is seen; how many were looked at."""
    ids = list(Rollout.objects.filter(state__in=OPEN).values_list("id", flat=True))
    for id in ids:
        try:
            analyse(id, now)
        except BellwetherError as error:
            pause(id, reason=f"{error.code}: {error.message}"[:500], actor="", now=now)
        except Exception:
            # A bug here must not keep the other rollouts from being looked at.
            logger.exception("rollout %s could not be analysed", id)
    return len(ids)


@transaction.atomic
def analyse(id: UUID, now: datetime) -> Rollout:
    """One look at one rollout. Raises RolloutNotFound, or what the registry raises."""
    rollout = _locked(id)
    options = parse_options(rollout.options)
    if rollout.state == RolloutState.RUNNING and not moves.was_touched(rollout, now):
        candidate = _look(rollout, now)
        evidence = from_json(rollout.evidence)
        step = Step(
            n_requests=candidate.n_requests - (evidence.n_at_step or 0),
            age_s=(now - rollout.step_started_at).total_seconds(),
        )
        _act(rollout, decide(evidence, step, options), options, now)
    elif rollout.state == RolloutState.BAKING:
        moves.watch_baking(rollout, options, now)
    rollout.save()
    return rollout


@transaction.atomic
def pause(id: UUID, *, reason: str, actor: str, now: datetime) -> Rollout:
    """Leave the traffic as it is and decide nothing more. Raises RolloutConflict."""
    rollout = _locked(id)
    _expect(rollout, RolloutState.RUNNING)
    moves.settle(rollout, RolloutState.PAUSED, reason, now=now, actor=actor)
    rollout.save()
    return rollout


@transaction.atomic
def resume(id: UUID, *, actor: str, now: datetime) -> Rollout:
    """Go on with the present step, whose time starts anew; its routes are set again.

    Raises RolloutConflict, or what the registry raises.
    """
    rollout = _locked(id)
    _expect(rollout, RolloutState.PAUSED)
    live = registry.load_live_version(rollout.model)
    if live is None or live.number != rollout.stable:
        raise RolloutConflict(
            f"Version {rollout.stable}, which it is compared with, is no longer live: "
            "abort the rollout and start another.",
            details={"stable": rollout.stable},
        )
    moves.give_weight(rollout, rollout.steps[rollout.step], actor=actor)
    rollout.step_started_at = now
    moves.settle(rollout, RolloutState.RUNNING, "Resumed.", now=now, actor=actor)
    rollout.save()
    return rollout


@transaction.atomic
def abort(id: UUID, *, reason: str, actor: str, now: datetime) -> Rollout:
    """Take the candidate's traffic away and mark it rejected. Raises RolloutConflict."""
    rollout = _locked(id)
    _expect(rollout, RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.BAKING)
    moves.reject(rollout, reason, now=now, actor=actor)
    rollout.save()
    return rollout


@transaction.atomic
def cancel(id: UUID, *, actor: str, now: datetime) -> Rollout:
    """Stop watching; routes stay as they are, the candidate is not rejected.

    Raises RolloutConflict.
    """
    rollout = _locked(id)
    _expect(rollout, RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.BAKING)
    moves.settle(rollout, RolloutState.CANCELLED, "Cancelled.", now=now, actor=actor)
    rollout.save()
    return rollout


@transaction.atomic
def promote(id: UUID, *, actor: str, now: datetime) -> Rollout:
    """Skip the remaining steps: the candidate answers everything now. Raises RolloutConflict."""
    rollout = _locked(id)
    _expect(rollout, RolloutState.RUNNING, RolloutState.PAUSED)
    rollout.step = len(rollout.steps) - 1
    moves.give_weight(rollout, WHOLE, actor=actor)
    moves.note(rollout, "promote", "Promoted by hand.", now=now, actor=actor)
    moves.bake(rollout, parse_options(rollout.options), now)
    rollout.save()
    return rollout


def _look(rollout: Rollout, now: datetime) -> Totals:
    """Add what came since the last look to the rollout's evidence; the candidate's totals."""
    origin = origin_of(rollout.created_at)
    candidate, stable = (
        load_totals(rollout.model, version, stable=rollout.stable, origin=origin, now=now)
        for version in (rollout.candidate, rollout.stable)
    )
    evidence = from_json(rollout.evidence)
    # The same look, done again after a crash, draws the same pairs.
    rng = np.random.default_rng([zlib.crc32(rollout.id.bytes), evidence.n_looks])
    options = parse_options(rollout.options)
    rollout.evidence = as_json(look(evidence, candidate, stable, options=options, rng=rng))
    rollout.analysed_at = now
    return candidate


def _act(rollout: Rollout, ruling: Ruling, options: Options, now: datetime) -> None:
    rollout.reason = ruling.reason
    if ruling.decision is Decision.ABORT:
        moves.reject(rollout, ruling.reason, now=now)
    elif ruling.decision is Decision.PAUSE:
        moves.settle(rollout, RolloutState.PAUSED, ruling.reason, now=now)
    elif ruling.decision is Decision.ADVANCE:
        rollout.step += 1
        weight = rollout.steps[rollout.step]
        moves.give_weight(rollout, weight, actor=moves.ANALYST)
        rollout.step_started_at = now
        rollout.evidence = as_json(replace(from_json(rollout.evidence), n_at_step=None))
        moves.note(rollout, "advance", ruling.reason, now=now)
        if weight == WHOLE:
            moves.bake(rollout, options, now)


def _locked(id: UUID) -> Rollout:
    rollout = Rollout.objects.select_for_update(no_key=True).filter(id=id).first()
    if rollout is None:
        raise RolloutNotFound(f"No rollout {id} is known.", details={"rollout": str(id)})
    return rollout


def _expect(rollout: Rollout, *states: RolloutState) -> None:
    if rollout.state not in states:
        raise RolloutConflict(
            f"The rollout is {rollout.state}; this needs one that is {' or '.join(states)}.",
            details={"state": rollout.state},
        )
