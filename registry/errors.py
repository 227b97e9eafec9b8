"""What can go wrong between a directory of files and a version that answers.

files → listing → staged copy → inspected content → blobs → view → rows → route

RegistryError
├── InvalidName              a model name that breaks the rules of `registry.names`
├── InvalidField             another value of the wrong form; `details.field` names it
├── ModelNotFound            no such model
├── VersionNotFound          the model has no such version
├── RevisionNotFound         no branch, tag, version, alias or commit of this name
├── EntryNotFound            the revision has no such file or folder
├── RefExists                the branch, tag or version number is taken
├── InvalidRef               a name that no branch, tag or alias may have
├── StaleParent              the branch has moved on since the commit that was named
├── BlobNotHere              a commit names bytes that were not uploaded for this model
├── ModelIsLive              the model answers requests, so it cannot be deleted
├── LengthRequired           an upload must say how long it is
├── UploadRefused            an upload URL or token that is forged, expired or used
├── UploadMismatch           uploaded bytes are not what was announced
├── RangeNotSatisfiable      a range of bytes that the file does not have
├── NotSupported             a part of the Hugging Face Hub that is not here
├── ModelExists              the name is taken, perhaps in other letter case
├── ContentRefused           the files may not enter
│   ├── ArchiveRefused       an archive that is not one, or holds what archives may not
│   ├── InvalidPath          a file path that breaks the rules of `registry.names`
│   └── InvalidManifest      a manifest that is not in canonical form or not the one named
├── SourceUnreadable         the directory is missing, or changed while it was read
├── XetRefused               chunks or file lists that are not of the form that was claimed
│   └── ChunksGone           an upload builds on chunks that are not kept here (any more)
├── VersionConflict          the same files are registered with other facts
├── VersionNotRoutable       the version is retired, or its files are not in place
│   ├── VersionDamaged       the last verification found its files altered or missing
│   └── SignatureRequired    the model's policy asks for a trusted signature, and there is none
├── VersionIsLive            the version answers requests, so it cannot be retired
├── InvalidRoutes            a set of routes that cannot be; `details.field` names the place
├── RoutesChanged            other routes hold by now than those that a change was decided on
├── IncompatibleVersion      another task or other labels than the stable version's
├── NothingToRollBack        no earlier version to return to
├── EndpointNotAllowed       imports from this endpoint are not allowed here
├── AddressRefused           a URL or redirect that leads where imports may not go
├── SourceUnreachable        the endpoint does not answer, or not as it should
├── OperationNotFound        no such operation
├── OperationTaken           its state does not allow this: it runs, or has ended
├── OperationEnded           it was cancelled or taken for lost while work went on
├── InvalidSignature         a bundle of another form, not by a trusted key, or for other files
├── InvalidPublicKey         a key that cannot sign or check signatures here
├── TrustedKeyExists         the key is trusted already, or its name is taken
├── TrustedKeyNotFound       no trusted key has this name or fingerprint
├── SigningUnavailable       the package that signs and checks is not installed
├── AuditBroken              the audit log is not as it was written
├── TargetNotFound           no backup target of this name in the settings
├── TargetUnreachable        the backup target does not answer, or not as it should
├── TargetBusy               another backup or prune works at the target
├── SnapshotNotFound         the target has no such snapshot
├── BackupDamaged            what lies at the target is not what was written there
├── DrillFailed              a restored registry does not answer as it should
├── RetentionRefused         a policy that would forget every snapshot
├── RegistryNotEmpty         a whole restore needs an empty registry
├── SweepRefused             a sweep that cannot be sure of what is needed
├── EndpointError            an inference endpoint, or the service that runs it
│   ├── EndpointNotFound     no inference endpoint of this name
│   ├── EndpointRefused      the service refused what was asked of it
│   ├── EndpointNotRunning   the endpoint is paused, has failed, or was not up in time
│   ├── EndpointUnusable     it answers, but not as a version's endpoint must
│   └── EndpointUnavailable  it, or the service, does not answer now
└── StoreError               the artifact store
    ├── StoreFull            not enough room for the files
    └── BlobDamaged          stored bytes differ from what their name promises
"""

from access.errors import BellwetherError


class RegistryError(BellwetherError):
    """Any expected failure of the registry."""


class InvalidName(RegistryError):
    code = "invalid_name"


class InvalidField(RegistryError):
    code = "invalid_field"


class ModelNotFound(RegistryError):
    code = "model_not_found"


class VersionNotFound(RegistryError):
    code = "version_not_found"


class RevisionNotFound(RegistryError):
    code = "revision_not_found"


class EntryNotFound(RegistryError):
    code = "entry_not_found"


class RefExists(RegistryError):
    code = "ref_exists"


class InvalidRef(RegistryError):
    code = "invalid_ref"


class StaleParent(RegistryError):
    code = "stale_parent"


class BlobNotHere(RegistryError):
    code = "blob_not_here"


class ModelIsLive(RegistryError):
    code = "model_is_live"


class LengthRequired(RegistryError):
    code = "length_required"


class UploadRefused(RegistryError):
    code = "upload_refused"


class UploadMismatch(RegistryError):
    code = "upload_mismatch"


class RangeNotSatisfiable(RegistryError):
    code = "range_not_satisfiable"


class NotSupported(RegistryError):
    code = "not_supported"


class ModelExists(RegistryError):
    code = "model_exists"


class ContentRefused(RegistryError):
    code = "content_refused"


class ArchiveRefused(ContentRefused):
    code = "archive_refused"


class InvalidPath(ContentRefused):
    code = "invalid_path"


class InvalidManifest(ContentRefused):
    code = "invalid_manifest"


class SourceUnreadable(RegistryError):
    code = "source_unreadable"


class XetRefused(RegistryError):
    code = "xet_refused"


class ChunksGone(XetRefused):
    code = "chunks_gone"


class VersionConflict(RegistryError):
    code = "version_conflict"


class VersionNotRoutable(RegistryError):
    code = "version_not_routable"


class VersionDamaged(VersionNotRoutable):
    code = "version_damaged"


class SignatureRequired(VersionNotRoutable):
    code = "signature_required"


class VersionIsLive(RegistryError):
    code = "version_is_live"


class InvalidRoutes(RegistryError):
    code = "invalid_routes"


class RoutesChanged(RegistryError):
    code = "routes_changed"


class IncompatibleVersion(RegistryError):
    code = "incompatible_version"


class NothingToRollBack(RegistryError):
    code = "nothing_to_roll_back"


class EndpointNotAllowed(RegistryError):
    code = "endpoint_not_allowed"


class AddressRefused(RegistryError):
    code = "address_refused"


class SourceUnreachable(RegistryError):
    code = "source_unreachable"


class OperationNotFound(RegistryError):
    code = "operation_not_found"


class OperationTaken(RegistryError):
    code = "operation_taken"


class OperationEnded(RegistryError):
    code = "operation_ended"


class InvalidSignature(RegistryError):
    code = "invalid_signature"


class InvalidPublicKey(RegistryError):
    code = "invalid_public_key"


class TrustedKeyExists(RegistryError):
    code = "trusted_key_exists"


class TrustedKeyNotFound(RegistryError):
    code = "trusted_key_not_found"


class SigningUnavailable(RegistryError):
    code = "signing_unavailable"


class AuditBroken(RegistryError):
    code = "audit_broken"


class TargetNotFound(RegistryError):
    code = "backup_target_not_found"


class TargetUnreachable(RegistryError):
    code = "backup_target_unreachable"


class TargetBusy(RegistryError):
    code = "backup_target_busy"


class SnapshotNotFound(RegistryError):
    code = "snapshot_not_found"


class BackupDamaged(RegistryError):
    code = "backup_damaged"


class DrillFailed(RegistryError):
    code = "drill_failed"


class RetentionRefused(RegistryError):
    code = "retention_refused"


class RegistryNotEmpty(RegistryError):
    code = "registry_not_empty"


class SweepRefused(RegistryError):
    code = "sweep_refused"


class EndpointError(RegistryError):
    """An inference endpoint, or the service that runs it, could not do what was asked."""


class EndpointNotFound(EndpointError):
    code = "endpoint_not_found"


class EndpointRefused(EndpointError):
    code = "endpoint_refused"


class EndpointNotRunning(EndpointError):
    code = "endpoint_not_running"


class EndpointUnusable(EndpointError):
    code = "endpoint_unusable"


class EndpointUnavailable(EndpointError):
    code = "endpoint_unavailable"


class StoreError(RegistryError):
    """The artifact store could not do what was asked."""


class StoreFull(StoreError):
    code = "store_full"


class BlobDamaged(StoreError):
    code = "blob_damaged"
