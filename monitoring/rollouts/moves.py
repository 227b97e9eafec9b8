"""What a rollout does to itself and to the model's routes, in its caller's transaction.

It changes routes through the registry like anybody else, and never against anybody: where they are
not as it left them, it pauses and says so.
"""

from datetime import datetime, timedelta
from typing import Any

from monitoring.models import Alert, AlertState, Rollout, RolloutEvent, RolloutState
from monitoring.rollouts.evidence import from_json
from monitoring.rollouts.options import Options
from monitoring.severity import Severity
from registry import queries as registry
from registry import services
from registry.routes import WHOLE, live_of, with_canary, without

ANALYST = "rollout analysis"


def bake(rollout: Rollout, options: Options, now: datetime) -> None:
    rollout.step_started_at = now
    rollout.bake_until = now + timedelta(seconds=options.bake_s)
    rollout.state = RolloutState.BAKING
    watch_baking(rollout, options, now)


def watch_baking(rollout: Rollout, options: Options, now: datetime) -> None:
    live = registry.load_live_version(rollout.model)
    if live is None or live.number != rollout.candidate:
        settle(rollout, RolloutState.CANCELLED, "Another version was made live.", now=now)
        return
    if options.rolls_back and (alert := _critical_alert(rollout)):
        services.rollback(rollout.model, actor=ANALYST, reason=alert.summary[:200])
        reject(rollout, f"Rolled back while baking: {alert.summary}", now=now)
    elif rollout.bake_until is not None and now >= rollout.bake_until:
        settle(rollout, RolloutState.PROMOTED, "Promoted, and baked in peace.", now=now)


def _critical_alert(rollout: Rollout) -> Alert | None:
    return Alert.objects.filter(
        model=rollout.model,
        version=rollout.candidate,
        state=AlertState.FIRING,
        severity=Severity.CRITICAL,
        fired_at__gte=rollout.step_started_at,
    ).first()


def was_touched(rollout: Rollout, now: datetime) -> bool:
    """Whether somebody else changed the routes; then the rollout pauses."""
    live = live_of(services.load_routes(rollout.model))
    weights = {route.version: route.weight for route in live}
    stable = live[0].version if live else None
    if stable == rollout.stable and weights.get(rollout.candidate) == rollout.steps[rollout.step]:
        return False
    reason = "The model's routes were changed by somebody else; resume sets them again."
    settle(rollout, RolloutState.PAUSED, reason, now=now)
    return True


def give_weight(rollout: Rollout, weight: int, *, actor: str) -> None:
    reason = f"rollout {rollout.id}: {weight} %"
    if weight == WHOLE:
        services.promote(rollout.model, rollout.candidate, actor=actor, reason=reason)
        return
    current = services.load_routes(rollout.model)
    wanted = with_canary(current, rollout.candidate, weight)
    services.set_routes(rollout.model, wanted, actor=actor, reason=reason)


def reject(rollout: Rollout, reason: str, *, now: datetime, actor: str = "") -> None:
    """Take the candidate's traffic away, mark it rejected with the evidence, end the rollout."""
    current = services.load_routes(rollout.model)
    who = actor or ANALYST
    live = live_of(current)
    if live and live[0].version == rollout.candidate:
        services.rollback(rollout.model, actor=who, reason=reason[:200])
        current = services.load_routes(rollout.model)
    if any(route.version == rollout.candidate for route in current):
        rest = without(current, rollout.candidate)
        services.set_routes(rollout.model, rest, actor=who, reason=reason[:200])
    services.reject(
        rollout.model,
        rollout.candidate,
        actor=who,
        reason=reason,
        details={"rollout": str(rollout.id), "evidence": summary(rollout)},
    )
    settle(rollout, RolloutState.ABORTED, reason, now=now, actor=actor)


def summary(rollout: Rollout) -> dict[str, Any]:
    """The evidence as people read it: both rates and both e-values of every question."""
    evidence = from_json(rollout.evidence)
    return {
        name: {
            "candidate": question.candidate.rate,
            "stable": question.stable.rate,
            "n_candidate": question.candidate.n,
            "n_stable": question.stable.n,
            "e_worse": question.duel.worse.e_value,
            "e_fine": question.duel.fine.e_value,
        }
        for name, question in evidence.questions.items()
    }


def settle(
    rollout: Rollout, state: RolloutState, reason: str, *, now: datetime, actor: str = ""
) -> None:
    rollout.state, rollout.reason = state, reason[:500]
    if state in (RolloutState.PROMOTED, RolloutState.ABORTED, RolloutState.CANCELLED):
        rollout.finished_at = now
    note(rollout, state.value, reason, now=now, actor=actor)


def note(rollout: Rollout, decision: str, reason: str, *, now: datetime, actor: str = "") -> None:
    RolloutEvent.objects.create(
        rollout=rollout,
        at=now,
        decision=decision,
        weight=rollout.steps[rollout.step],
        reason=reason[:500],
        actor=actor,
        evidence=summary(rollout),
    )
