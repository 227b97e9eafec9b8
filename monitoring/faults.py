"""Which failures speak against a version. Pure."""

SERVER_FAULTS = frozenset(
    {
        "deadline_exceeded",
        "input_failed",
        "internal_error",
        "lane_failed",
        "remote_invalid_answer",
        "remote_refused",
        "remote_unavailable",
    }
)
"""Codes of requests that a version had and could not answer. What callers can mend is not among
them, nor a full queue: that says how much came, not how good the version is."""
