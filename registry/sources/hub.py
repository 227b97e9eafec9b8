"""A model on a Hub endpoint as a source: listed by commit, read in pieces, every file verified.

revision → commit sha → tree → files chosen → each streamed, resumed, hashed

The revision is resolved once and all else is read by commit, so what is listed is what is read.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, BinaryIO, Self, cast
from urllib.parse import quote, urljoin

from registry.content import check_name
from registry.errors import ContentRefused, InvalidField, SourceUnreachable, SourceUnreadable
from registry.inspection import INDEX, WEIGHTS
from registry.names import MAX_NAME_CHARS, check_path
from registry.netguard import GuardedClient
from registry.sources.downloads import Download, Expected
from registry.sources.members import show
from registry.sources.partials import Partials

DEFAULT_REVISION = "main"
MAX_REVISION_CHARS = 250
MAX_LISTING_BYTES = 32 * 1024**2
MAX_PAGES = 20
MAX_ENTRIES = 20_000
LISTING_S = 60.0
# What else a model's repository often holds; none of it is read when the model is served.
SKIPPED_FOLDERS = frozenset(
    {"coreml", "flax", "gguf", "onnx", "openvino", "original", "runs", "tf"}
)

_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?")
_COMMIT, _SHA256 = re.compile(r"[0-9a-f]{40}"), re.compile(r"[0-9a-f]{64}")
_SHARD = re.compile(r"model-\d{1,6}-of-\d{1,6}\.safetensors")
_NEXT = re.compile(r'<([^<>]{1,8000})>\s*;\s*rel="next"')


@dataclass(frozen=True, slots=True)
class Revision:
    """One commit of one model: `sha` is its 40-hex id."""

    repo: str
    sha: str


def check_repo(repo: str) -> str:
    """A model's name on an endpoint, `org/model` or `model`; raises InvalidField."""
    if not _REPO.fullmatch(repo) or len(repo) > MAX_NAME_CHARS or ".." in repo:
        raise InvalidField(
            "source must be the model's name on the endpoint, like org/model",
            details={"field": "source"},
        )
    return repo


def check_revision(revision: str) -> str:
    """A branch, tag or commit, if it can be one; raises InvalidField."""
    if not 1 <= len(revision) <= MAX_REVISION_CHARS or not revision.isprintable():
        raise InvalidField(
            f"revision must be 1 to {MAX_REVISION_CHARS} printable characters",
            details={"field": "revision"},
        )
    return revision


def load_revision(client: GuardedClient, endpoint: str, repo: str, revision: str) -> Revision:
    """Ask which commit a revision is now; raises SourceUnreadable when there is none."""
    url = f"{endpoint}/api/models/{repo}/revision/{quote(revision, safe='')}"
    info, _ = _read_listing(client, url, f"{repo} at revision {revision}")
    sha = info.get("sha") if isinstance(info, dict) else None
    if not isinstance(sha, str) or not _COMMIT.fullmatch(sha):
        raise SourceUnreachable("the endpoint names no commit for the revision")
    return Revision(repo, sha)


class HubSource:
    """The files of one commit; use it with `with`. Raises SourceUnreadable, SourceUnreachable or
    AddressRefused.

    What an endpoint lists and a version may not hold is left out and told in `skipped`.
    """

    def __init__(
        self,
        client: GuardedClient,
        endpoint: str,
        at: Revision,
        partials: Partials,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._endpoint, self._at = client, endpoint, at
        self._partials, self._sleep = partials, sleep
        listed = list(_load_tree(client, endpoint, at))
        chosen, self.skipped = _choose(listed)
        self._files = {file.path: file for file in chosen}
        self.sizes: Mapping[str, int] = {file.path: file.size for file in chosen}
        self._open: list[Download] = []

    @property
    def description(self) -> str:
        host = self._client.origin.host[:60]
        return f"hub: {host}/{self._at.repo}@{self._at.sha}"

    def open(self, path: str) -> BinaryIO:
        """A stream that downloads as it is read, from where an earlier try ended."""
        expected = self._files[path]
        name = quote(path, safe="/")
        url = f"{self._endpoint}/{self._at.repo}/resolve/{self._at.sha}/{name}"
        download = Download(
            self._client,
            url,
            expected,
            self._partials.file(path),
            self._partials.touch,
            self._sleep,
        )
        self._open.append(download)
        return cast(BinaryIO, download)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for download in self._open:
            download.close()
        if error is None:
            self._partials.remove()
        else:
            self._partials.release()


def _load_tree(client: GuardedClient, endpoint: str, at: Revision) -> Iterator[Expected]:
    url = f"{endpoint}/api/models/{at.repo}/tree/{at.sha}?recursive=true&expand=false"
    n_entries = 0
    for _ in range(MAX_PAGES):
        page, following = _read_listing(client, url, f"{at.repo}'s files")
        n_entries += len(page) if isinstance(page, list) else 0
        if not isinstance(page, list) or n_entries > MAX_ENTRIES:
            raise SourceUnreadable(f"the endpoint lists no files, or over {MAX_ENTRIES}")
        yield from (_parse_entry(entry) for entry in page if _is_file(entry))
        if following is None:
            return
        url = urljoin(url, following)
    raise SourceUnreadable(f"the endpoint lists the files in over {MAX_PAGES} pages")


def _read_listing(client: GuardedClient, url: str, what: str) -> tuple[Any, str | None]:
    """The JSON at `url` and where the list goes on."""
    with client.get(url, max_bytes=MAX_LISTING_BYTES, deadline_s=LISTING_S) as answer:
        if answer.status in (401, 403, 404):
            raise SourceUnreadable(
                f"the endpoint has no {what}, or shows it only with a token: check the name and "
                "the revision, or set HF_TOKEN (sent to listed endpoints only)",
                details={"status": answer.status},
            )
        if answer.status != 200:
            raise SourceUnreachable(
                f"the endpoint answers {answer.status} when asked for {what}: try again",
                details={"status": answer.status},
            )
        following = _NEXT.search(answer.headers.get("link", ""))
        return answer.read_json(), following.group(1) if following else None


def _is_file(entry: Any) -> bool:
    return isinstance(entry, dict) and entry.get("type") == "file"


def _parse_entry(entry: Mapping[str, Any]) -> Expected:
    path, size, oid, lfs = (entry.get(key) for key in ("path", "size", "oid", "lfs"))
    sha256 = lfs.get("oid") if isinstance(lfs, dict) else ""
    size = lfs.get("size", size) if isinstance(lfs, dict) else size
    is_sound = (
        isinstance(path, str)
        and type(size) is int
        and size >= 0
        and isinstance(oid, str)
        and isinstance(sha256, str)
        and (_SHA256.fullmatch(sha256) if sha256 or lfs else _COMMIT.fullmatch(oid))
    )
    if not is_sound:
        raise SourceUnreachable("the endpoint lists a file without its path, size or hash")
    return Expected(cast(str, path), cast(int, size), cast(str, oid), cast(str, sha256))


def _choose(listed: Iterable[Expected]) -> tuple[list[Expected], tuple[str, ...]]:
    """What a version may hold of the files, sorted by path, and what is left out."""
    files = sorted(listed, key=lambda file: file.path)
    allowed = [file for file in files if _is_allowed(file.path)]
    names = {file.path for file in allowed}
    chosen = [file for file in allowed if _is_needed(file.path, names)]
    kept = {file.path for file in chosen}
    return chosen, tuple(show(file.path) for file in files if file.path not in kept)


def _is_allowed(path: str) -> bool:
    folder, _, _ = path.partition("/")
    if any(part.startswith(".") for part in path.split("/")):
        return False
    if "/" in path and folder in SKIPPED_FOLDERS:
        return False
    try:
        check_path(path)
        check_name(path)
    except ContentRefused:
        return False
    return True


def _is_needed(path: str, names: set[str]) -> bool:
    """Whether a file beside the model is the one that loaders take: one whole, or its shards."""
    if "/" in path or not (path.endswith(".safetensors") or path == INDEX):
        return True
    if WEIGHTS in names:
        return path == WEIGHTS
    return path == INDEX or INDEX not in names or bool(_SHARD.fullmatch(path))
