"""The registry in the admin: facts are read-only; what changes goes through services."""

from registry.admin import (
    audit,
    backups,
    cards,
    catalogue,
    deployment,
    operations,
    refs,
    routes,
    trust,
)

__all__ = [
    "audit",
    "backups",
    "cards",
    "catalogue",
    "deployment",
    "operations",
    "refs",
    "routes",
    "trust",
]
