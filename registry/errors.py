"""What can go wrong between a directory of files and a version that answers.

files → listing → staged copy → inspected content → blobs → view → rows → route

RegistryError
├── InvalidName              a model name that breaks the rules of `registry.names`
├── InvalidField             another value of the wrong form; `details.field` names it
├── ModelNotFound            no such model
├── VersionNotFound          the model has no such version
├── ModelExists              the name is taken, perhaps in other letter case
├── ContentRefused           the files may not enter
│   ├── InvalidPath          a file path that breaks the rules of `registry.names`
│   └── InvalidManifest      a manifest that is not in canonical form or not the one named
├── SourceUnreadable         the directory is missing, or changed while it was read
├── VersionConflict          the same files are registered with other facts
├── VersionNotRoutable       the version is retired, or its files are not in place
│   └── VersionDamaged       the last verification found its files altered or missing
├── VersionIsLive            the version answers requests, so it cannot be retired
├── NothingToRollBack        no earlier version to return to
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


class NothingToRollBack(RegistryError):
    code = "nothing_to_roll_back"


class StoreError(RegistryError):
    """The artifact store could not do what was asked."""


class StoreFull(StoreError):
    code = "store_full"


class BlobDamaged(StoreError):
    code = "blob_damaged"
