"""Settings that would stop the door from opening, found before the first request."""

from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from access.errors import InvalidKeyFields
from access.ratelimit import parse_rate

REDIS_SCHEMES = ("redis://", "rediss://", "redis+unix://")


@register()
def check_rate_limit(**_: Any) -> list[CheckMessage]:
    """access.E001: the default rate is not a rate."""
    try:
        parse_rate(settings.BELLWETHER_RATE_LIMIT)
    except InvalidKeyFields as error:
        hint = "Write a count and a time, such as 60000/minute."
        return [Error(f"BELLWETHER_RATE_LIMIT: {error.message}", hint=hint, id="access.E001")]
    return []


@register()
def check_redis(**_: Any) -> list[CheckMessage]:
    """access.E002: the Redis address is of another kind. access.E003: its client is missing."""
    # The address may hold a password: it is not repeated.
    if not settings.REDIS_URL:
        return []
    if not settings.REDIS_URL.startswith(REDIS_SCHEMES):
        hint = f"Start it with one of {', '.join(REDIS_SCHEMES)}."
        return [Error("REDIS_URL is not the address of a Redis.", hint=hint, id="access.E002")]
    if find_spec("redis") is None:
        hint = "Install the packages in requirements/redis.txt, or leave REDIS_URL empty."
        return [Error("REDIS_URL needs the redis package.", hint=hint, id="access.E003")]
    return []
