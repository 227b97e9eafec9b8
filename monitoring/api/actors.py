"""Who asks."""

from rest_framework.request import Request

from access.drf import get_facts


def get_actor(request: Request) -> str:
    """The key's or account's name, and its id since names repeat."""
    facts = get_facts(request)
    return f"{facts.name} ({facts.id})" if facts else "unknown"
