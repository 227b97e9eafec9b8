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
├── ModelExists              the name is taken, perhaps in other letter case
├── ContentRefused           the files may not enter
│   ├── InvalidPath          a file path that breaks the rules of `registry.names`
│   └── InvalidManifest      a manifest that is not in canonical form or not the one named
├── SourceUnreadable         the directory is missing, or changed while it was read
├── VersionConflict          the same files are registered with other facts
├── VersionNotRoutable       the version is retired, or its files are not in place
│   └── VersionDamaged       the last verification found its files altered or missing
├── VersionIsLive            the version answers requests, so it cannot be retired
├── InvalidRoutes            a set of routes that cannot be; `details.field` names the place
├── IncompatibleVersion      another task or other labels than the stable version's
├── NothingToRollBack        no earlier version to return to
├── OperationNotFound        no such operation
├── OperationTaken           its state does not allow this: it runs, or has ended
├── OperationEnded           it was cancelled or taken for lost while work went on
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


class ModelExists(RegistryError):
    code = "model_exists"


class ContentRefused(RegistryError):
    code = "content_refused"


class InvalidPath(ContentRefused):
    code = "invalid_path"


class InvalidManifest(ContentRefused):
    code = "invalid_manifest"


class SourceUnreadable(RegistryError):
    code = "source_unreadable"


class VersionConflict(RegistryError):
    code = "version_conflict"


class VersionNotRoutable(RegistryError):
    code = "version_not_routable"


class VersionDamaged(VersionNotRoutable):
    code = "version_damaged"


class VersionIsLive(RegistryError):
    code = "version_is_live"


class InvalidRoutes(RegistryError):
    code = "invalid_routes"


class IncompatibleVersion(RegistryError):
    code = "incompatible_version"


class NothingToRollBack(RegistryError):
    code = "nothing_to_roll_back"


class OperationNotFound(RegistryError):
    code = "operation_not_found"


class OperationTaken(RegistryError):
    code = "operation_taken"


class OperationEnded(RegistryError):
    code = "operation_ended"


class StoreError(RegistryError):
    """The artifact store could not do what was asked."""


class StoreFull(StoreError):
    code = "store_full"


class BlobDamaged(StoreError):
    code = "blob_damaged"
