"""Tables of the registry. Only `registry.services` writes them; other apps read `registry.queries`.

catalogue (models, versions, routes) · files (blobs, commits, refs, uploads) · trust (golden
inputs, keys, signatures) · events · work (operations, backups, replicas)
"""

from registry.models.catalogue import (
    LIVE_WEIGHT,
    RegisteredModel,
    RegistryState,
    Route,
    Version,
    VersionBlob,
)
from registry.models.events import Event
from registry.models.fields import MAX_TEXT_CHARS
from registry.models.files import Blob, Commit, CommitBlob, Lease, Ref, Upload, Xorb
from registry.models.trust import Golden, Signature, TrustedKey
from registry.models.work import Backup, Operation, Replica

__all__ = [
    "LIVE_WEIGHT",
    "MAX_TEXT_CHARS",
    "Backup",
    "Blob",
    "Commit",
    "CommitBlob",
    "Event",
    "Golden",
    "Lease",
    "Operation",
    "Ref",
    "RegisteredModel",
    "RegistryState",
    "Replica",
    "Route",
    "Signature",
    "TrustedKey",
    "Upload",
    "Version",
    "VersionBlob",
    "Xorb",
]
