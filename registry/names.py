"""Legal names: of models (`namespace/name`) and of the files inside a version.

Model names follow the rules of the Hugging Face client, so that every name here works there. File
paths must mean one and the same file on every file system, so what some system would fold, strip or
treat as a device is refused everywhere.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from registry.errors import InvalidName, InvalidPath, InvalidRef

MAX_NAME_CHARS = 96
MAX_REF_CHARS = 200
MAX_PATH_BYTES = 1024
MAX_PART_BYTES = 255
MAX_PATH_PARTS = 16

# First path segments that the server itself answers to, or the Hub gives a meaning.
RESERVED_NAMESPACES = frozenset(
    {"admin", "api", "datasets", "docs", "health", "job", "kernels", "metrics", "models"}
    | {"spaces", "static", "v1", "v2"}
)
RESERVED_PARTS = frozenset({".git", ".cache"})
DEVICE_NAMES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{device}{n}" for device in ("com", "lpt") for n in "0123456789¹²³"}
)

_PART = re.compile(r"[A-Za-z0-9._-]+")
_REF = re.compile(r"[A-Za-z0-9._/-]+")
_COMMIT_ID = re.compile(r"[0-9a-f]{40}")
_VERSION_TAG = re.compile(r"v([1-9][0-9]{0,8})")
_FORBIDDEN_CHARS = frozenset('\\<>:"|?*')
# Control, format (invisible, bidirectional), surrogate, line and paragraph separators.
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


class ModelName(NamedTuple):
    """A checked model name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def parse_model_name(text: str) -> ModelName:
    """Split and check `namespace/name`; raises InvalidName saying which rule is broken."""
    parts = text.split("/")
    if len(parts) != 2:
        raise InvalidName(_sentence("model name", text, "must be namespace/name, with one slash"))
    if len(text) > MAX_NAME_CHARS:
        raise InvalidName(_sentence("model name", text, f"is over {MAX_NAME_CHARS} characters"))
    return ModelName(check_namespace(parts[0]), check_name_part(parts[1]))


def check_namespace(text: str) -> str:
    """The first half of a model name, if it is legal; raises InvalidName."""
    check_name_part(text)
    if text.startswith("_") or text.lower() in RESERVED_NAMESPACES:
        raise InvalidName(_sentence("namespace", text, "is reserved; choose another"))
    return text


def check_name_part(text: str) -> str:
    """One half of a model name, if it is legal; raises InvalidName."""
    problem = _name_problem(text)
    if problem:
        raise InvalidName(_sentence("model name part", text, problem))
    return text


def check_ref_name(text: str) -> str:
    """The name of a branch, tag or alias, if it is legal; raises InvalidRef.

    `vN` is legal here: whether it may be used depends on what for.
    """
    problem = _ref_problem(text)
    if problem:
        raise InvalidRef(_sentence("ref name", text, problem), details={"name": _printable(text)})
    return text


def version_number(ref: str) -> int | None:
    """N when `ref` is the tag `vN` of a version, else None."""
    found = _VERSION_TAG.fullmatch(ref)
    return int(found[1]) if found else None


def check_path(path: str) -> str:
    """A file path inside a version, if it is legal; raises InvalidPath saying why not."""
    problem = _path_problem(path)
    if problem:
        raise InvalidPath(_sentence("file path", path, problem), details={"path": _printable(path)})
    return path


def check_paths(paths: Iterable[str]) -> None:
    """Refuse illegal paths, and two paths that some file system would take for one.

    Raises InvalidPath for an illegal path, for two that differ only in letter case, and for a file
    where another path needs a folder.
    """
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for path in map(check_path, paths):
        _claim(files, _fold(path), path)
        parts = path.split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            if folders.setdefault(_fold(folder), folder) != folder:
                raise _collision(folder, folders[_fold(folder)])
    for folded in files.keys() & folders.keys():
        raise _collision(files[folded], folders[folded] + "/")


def _claim(files: dict[str, str], key: str, path: str) -> None:
    if key in files:
        raise _collision(path, files[key])
    files[key] = path


def _collision(one: str, other: str) -> InvalidPath:
    names = sorted((_printable(one), _printable(other)))
    return InvalidPath(
        f"the file paths {names[0]!r} and {names[1]!r} collide on some file systems: rename one",
        details={"paths": names},
    )


def _fold(path: str) -> str:
    return unicodedata.normalize("NFC", path.casefold())


def _name_problem(text: str) -> str:
    if not _PART.fullmatch(text):
        return "may hold only letters A-Z a-z, digits, '.', '_' and '-', and at least one of them"
    if len(text) > MAX_NAME_CHARS:
        return f"is over {MAX_NAME_CHARS} characters"
    if text[0] in "-." or text[-1] in "-.":
        return "may not begin or end with '-' or '.'"
    if "--" in text or ".." in text:
        return "may not contain '--' or '..'"
    if text.lower().endswith(".git"):
        return "may not end in .git"
    return ""


def _ref_problem(text: str) -> str:
    if not _REF.fullmatch(text):
        return "may hold only letters A-Z a-z, digits, '.', '_', '-' and '/', and at least one"
    if len(text) > MAX_REF_CHARS:
        return f"is over {MAX_REF_CHARS} characters"
    parts = text.split("/")
    if any(not part or part[0] in ".-" or part.endswith((".", ".lock")) for part in parts):
        return "may not have an empty part, or one that begins with '.' or '-' or ends in '.lock'"
    if ".." in text or parts[0] == "refs" or text == "HEAD" or _COMMIT_ID.fullmatch(text):
        return "may not contain '..', begin with refs/, be HEAD or look like a commit id"
    return ""


def _path_problem(path: str) -> str:
    bad = next((char for char in path if _is_forbidden(char)), "")
    if bad:
        return f"holds the character U+{ord(bad):04X}, which is not allowed"
    if not unicodedata.is_normalized("NFC", path):
        return "is not in Unicode normal form C: rename the file"
    if len(path.encode()) > MAX_PATH_BYTES:
        return f"is over {MAX_PATH_BYTES} bytes"
    parts = path.split("/")
    if len(parts) > MAX_PATH_PARTS:
        return f"is over {MAX_PATH_PARTS} folders deep"
    return next(filter(None, map(_part_problem, parts)), "")


def _part_problem(part: str) -> str:
    if part in ("", ".", ".."):
        return "must be relative, without empty parts, '.' or '..'"
    if part[0] == " " or part[-1] in ". ":
        return "has a part that begins with a space or ends with a space or a dot"
    if len(part.encode()) > MAX_PART_BYTES:
        return f"has a part over {MAX_PART_BYTES} bytes"
    if part.casefold() in RESERVED_PARTS:
        return f"has the reserved part {part}"
    if part.split(".")[0].rstrip(" ").casefold() in DEVICE_NAMES:
        return f"has the part {part}, a device name on Windows"
    return ""


def _is_forbidden(char: str) -> bool:
    return char in _FORBIDDEN_CHARS or unicodedata.category(char) in _FORBIDDEN_CATEGORIES


def _sentence(what: str, text: str, problem: str) -> str:
    return f"{what} {_printable(text)!r} {problem}"


def _printable(text: str) -> str:
    """`text` short enough and clean enough for a message: lone surrogates become escapes."""
    clean = text.encode("utf-8", "backslashreplace").decode()
    return clean if len(clean) <= 120 else clean[:117] + "..."
