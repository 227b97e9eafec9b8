import pytest

from inference.engine.limits import EngineLimits, Priority


def test_the_defaults_hold() -> None:
    assert EngineLimits().get_room(Priority.INTERACTIVE) == (2048, 262_144)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n_lanes", 0),
        ("max_batch", 0),
        ("max_batch_tokens", -1),
        ("max_queue", 0),
        ("max_queue_tokens", 0),
        ("max_padding", 1.0),
        ("max_padding", -0.1),
        ("max_age_s", 0.0),
        ("max_age_s", float("inf")),
        ("max_forward_s", float("nan")),
        ("restart_backoff_s", 0.0),
        ("low_priority_share", 0.0),
        ("low_priority_share", 1.1),
    ],
)
def test_a_bound_that_cannot_hold_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        EngineLimits(**{field: value})  # type: ignore[arg-type]


def test_jobs_may_fill_only_their_share() -> None:
    limits = EngineLimits(max_queue=10, max_queue_tokens=100, low_priority_share=0.3)
    assert limits.get_room(Priority.INTERACTIVE) == (10, 100)
    assert limits.get_room(Priority.JOB) == limits.get_room(Priority.SHADOW) == (3, 30)


def test_every_share_leaves_room_for_one() -> None:
    limits = EngineLimits(max_queue=1, max_queue_tokens=1, low_priority_share=0.1)
    assert limits.get_room(Priority.JOB) == (1, 1)
