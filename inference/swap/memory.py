"""How much memory this process has and uses, read from Linux; 0 where it does not say."""

import ctypes
import gc
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from inference.swap.admission import Memory

_V2 = Path("/sys/fs/cgroup")
_V1 = Path("/sys/fs/cgroup/memory")
_PROC = Path("/proc")
# What cgroup v1 writes for "no limit" is near the largest number it knows.
_UNLIMITED = 2**60


def read_memory(set_limit: int = 0) -> Memory:
    """Return the limit that leaves the least: `set_limit` (bytes, 0: none), cgroup or machine."""
    found = [memory for memory in (*_cgroups(), *_machine()) if memory.limit > 0]
    if set_limit:
        found.append(Memory(set_limit, read_rss(), "BELLWETHER_MEMORY_LIMIT_BYTES"))
    return min(found, key=lambda each: each.limit - each.used, default=Memory(2**63, 0, "unknown"))


def read_rss() -> int:
    """Bytes of this process that are in memory, mapped files included."""
    try:
        pages = int((_PROC / "self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def release() -> tuple[int, int]:
    """Give back what nothing refers to any more; returns the RSS before and after."""
    before = read_rss()
    gc.collect()
    trim = _malloc_trim()
    if trim is not None:
        trim(0)
    return before, read_rss()


def _cgroups() -> Iterator[Memory]:
    v2 = (_V2 / "memory.max", _V2 / "memory.current", "inactive_file")
    v1 = (_V1 / "memory.limit_in_bytes", _V1 / "memory.usage_in_bytes", "total_inactive_file")
    for limit_file, used_file, cache_field in (v2, v1):
        try:
            limit, used = int(limit_file.read_text()), int(used_file.read_text())
            stat = (limit_file.parent / "memory.stat").read_text()
        except (OSError, ValueError):
            continue
        # Files read but not in use are counted, and given up when somebody needs the room.
        idle = next((int(v) for k, v in map(str.split, stat.splitlines()) if k == cache_field), 0)
        if limit < _UNLIMITED:
            yield Memory(limit, max(0, used - idle), "cgroup")


def _machine() -> Iterator[Memory]:
    try:
        lines = (_PROC / "meminfo").read_text().splitlines()
        fields = {name: int(value.split()[0]) * 1024 for name, value in _pairs(lines)}
        yield Memory(
            fields["MemTotal"], fields["MemTotal"] - fields["MemAvailable"], "this machine"
        )
    except (OSError, ValueError, KeyError, IndexError):
        return


def _pairs(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, _, value = line.partition(":")
        yield name, value


@cache
def _malloc_trim() -> "ctypes._NamedFuncPointer | None":
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
