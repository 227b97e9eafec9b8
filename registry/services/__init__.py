"""The only writers of the registry. Every change is one transaction with its event.

What serving must see (a change of routes) also raises the generation, in the same transaction.
"""

from registry.services.commits import Changes, commit_changes
from registry.services.deletion import delete_model
from registry.services.intake import keep_file, lease_blobs, readable_blobs, release_blobs
from registry.services.notes import note_erasure, note_event
from registry.services.pinning import set_pinned
from registry.services.refs import (
    create_branch,
    create_tag,
    delete_alias,
    delete_branch,
    delete_tag,
    set_alias,
)
from registry.services.registration import (
    Registration,
    create_model,
    ensure_model,
    register_directory,
    register_source,
)
from registry.services.rejecting import reinstate, reject
from registry.services.routes import hold_routes, load_routes, reshuffle, set_routes
from registry.services.routing import (
    plan_promotion,
    plan_rollback,
    promote,
    retire,
    rollback,
)
from registry.services.sealing import adopt_versions, seal
from registry.services.upkeep import VerifyResult, recover, verify, verify_all

__all__ = [
    "Changes",
    "Registration",
    "VerifyResult",
    "adopt_versions",
    "commit_changes",
    "create_branch",
    "create_model",
    "create_tag",
    "delete_alias",
    "delete_branch",
    "delete_model",
    "delete_tag",
    "ensure_model",
    "hold_routes",
    "keep_file",
    "lease_blobs",
    "load_routes",
    "note_erasure",
    "note_event",
    "plan_promotion",
    "plan_rollback",
    "promote",
    "readable_blobs",
    "recover",
    "register_directory",
    "register_source",
    "reinstate",
    "reject",
    "release_blobs",
    "reshuffle",
    "retire",
    "rollback",
    "seal",
    "set_alias",
    "set_pinned",
    "set_routes",
    "verify",
    "verify_all",
]
