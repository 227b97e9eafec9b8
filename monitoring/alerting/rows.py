"""Alerts between their rows and the pure states."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from monitoring.alerting.states import Incident, Standing, State, Tally
from monitoring.models import Alert
from monitoring.severity import Severity


def as_standing(alert: Alert) -> Standing:
    return Standing(
        state=State(alert.state),
        severity=Severity(alert.severity),
        tallies={source: _unpack(packed) for source, packed in alert.tallies.items()},
    )


def as_incident(newest_first: Sequence[Alert]) -> Incident | None:
    """The last incident of those that ended lately, or None."""
    ended = [(Severity(row.severity), row.resolved_at) for row in newest_first]
    if not ended or ended[0][1] is None:
        return None
    return Incident(severity=ended[0][0], resolved_at=ended[0][1], n_recent=len(ended))


def pack_tallies(tallies: Mapping[str, Tally]) -> dict[str, Any]:
    """Tallies as JSON."""
    return {
        source: {
            "n_bad": tally.n_bad,
            "n_good": tally.n_good,
            "longest_good": tally.longest_good,
            "bad_since": tally.bad_since.isoformat(),
            "seen_at": tally.seen_at.isoformat(),
        }
        for source, tally in tallies.items()
    }


def _unpack(packed: Mapping[str, Any]) -> Tally:
    return Tally(
        n_bad=packed["n_bad"],
        n_good=packed["n_good"],
        longest_good=packed["longest_good"],
        bad_since=datetime.fromisoformat(packed["bad_since"]),
        seen_at=datetime.fromisoformat(packed["seen_at"]),
    )
