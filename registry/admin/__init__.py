"""The registry in the admin: facts are read-only; what changes goes through services."""

from registry.admin import catalogue, refs

__all__ = ["catalogue", "refs"]
