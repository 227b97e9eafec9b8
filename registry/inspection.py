"""What may enter a version: caps on the listing, content of every file, and the model as a whole.

`check_listing` needs only names and sizes, so it refuses before bytes are copied. `inspect` reads a
staged copy that nobody else can change, so what is checked is what is kept.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from registry import golden
from registry.content import check_content, check_name, read_json
from registry.errors import ContentRefused
from registry.facts import ModelFacts, read_facts
from registry.names import check_paths

MAX_FILES = 1_000
MAX_FILE_BYTES = 64 * 1024**3
MAX_TOTAL_BYTES = 512 * 1024**3

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
CONFIG = "config.json"
CHOICES = "bellwether.json"
POOLING = "1_Pooling/config.json"

Inspected = ModelFacts


def check_listing(sizes: Mapping[str, int]) -> None:
    """Refuse what cannot be a version, by names and sizes (bytes by path).

    Raises ContentRefused or InvalidPath.
    """
    check_files(sizes)
    _check_parts(sizes)


def check_files(sizes: Mapping[str, int]) -> None:
    """Refuse files that may not lie together, whether or not they are a whole model yet."""
    if len(sizes) > MAX_FILES:
        raise ContentRefused(f"{len(sizes)} files; a version may have {MAX_FILES}")
    check_paths(sizes)
    for path, size in sizes.items():
        check_name(path)
        if size > MAX_FILE_BYTES:
            raise _refused(path, f"it has {size} bytes; a file may have {MAX_FILE_BYTES}")
    if sum(sizes.values()) > MAX_TOTAL_BYTES:
        raise ContentRefused(f"over {MAX_TOTAL_BYTES} bytes in all; leave files out")


def inspect(folder: Path, paths: Iterable[str]) -> Inspected:
    """Check every file of the model in `folder`; returns the facts its configuration states.

    Raises ContentRefused (with `details.path`) at the first thing that may not enter. `folder` must
    be a private copy.
    """
    present = tuple(paths)
    _check_parts(present)
    tensors = {path: check_content(path, folder / path) for path in present}
    for path in present:
        if path.endswith(".safetensors.index.json"):
            _check_shards(path, read_json(path, folder / path), tensors)
    choices = read_json(CHOICES, folder / CHOICES) if CHOICES in present else {}
    pooling = read_json(POOLING, folder / POOLING) if POOLING in present else None
    facts = read_facts(read_json(CONFIG, folder / CONFIG), choices, pooling)
    if golden.FILE in present:
        golden.parse_given(read_json(golden.FILE, folder / golden.FILE), facts.labels)
    return facts


def _check_parts(paths: Iterable[str]) -> None:
    present = set(paths)
    if CONFIG not in present:
        raise ContentRefused(f"{CONFIG} is missing: save the model with save_pretrained")
    if not present & {WEIGHTS, INDEX}:
        raise ContentRefused(f"neither {WEIGHTS} nor {INDEX} is there: save as safetensors")


def _check_shards(path: str, index: Any, tensors: Mapping[str, frozenset[str]]) -> None:
    """The shards that the index names, and no others, lie beside it and hold its tensors."""
    named = _parse_index(path, index)
    folder = path.rpartition("/")[0]
    beside = {
        other.rpartition("/")[2]: names
        for other, names in tensors.items()
        if other.endswith(".safetensors") and other.rpartition("/")[0] == folder
    }
    for shard, wanted in named.items():
        if shard not in beside:
            raise _refused(path, f"it names the shard {shard!r:.120}, which is not there")
        if not wanted <= beside[shard]:
            raise _refused(path, f"the shard {shard} lacks {min(wanted - beside[shard])!r:.120}")
    extra = sorted(beside.keys() - named.keys())
    if extra:
        raise _refused(path, f"{extra[0]} lies beside it and is not one of its shards")


def _parse_index(path: str, index: Any) -> dict[str, set[str]]:
    weight_map = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(weight_map, dict) or not weight_map:
        raise _refused(path, "it must have a weight_map from tensor to shard")
    named: dict[str, set[str]] = {}
    for tensor, shard in weight_map.items():
        if not isinstance(shard, str) or "/" in shard or "\\" in shard:
            raise _refused(path, f"the shard {shard!r:.120} must be a file name without a folder")
        named.setdefault(shard, set()).add(tensor)
    return named


def _refused(path: str, problem: str) -> ContentRefused:
    return ContentRefused(f"{path}: {problem}", details={"path": path})
