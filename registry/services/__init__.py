"""The only writers of the registry. Every change is one transaction with its event.

What serving must see (a change of routes) also raises the generation, in the same transaction.
"""

from registry.services.registration import (
    Registration,
    create_model,
    ensure_model,
    register_directory,
    register_source,
)
from registry.services.routing import promote, retire, rollback
from registry.services.upkeep import VerifyResult, recover, verify, verify_all

__all__ = [
    "Registration",
    "VerifyResult",
    "create_model",
    "ensure_model",
    "promote",
    "recover",
    "register_directory",
    "register_source",
    "retire",
    "rollback",
    "verify",
    "verify_all",
]
