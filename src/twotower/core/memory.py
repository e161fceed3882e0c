"""The memory that this process has used at most, and how much more it may use."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

__all__ = ["available_bytes", "peak_gib", "total_bytes", "with_unit"]

_GIB = 2**30
_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")
_OWN_GROUP = Path("/proc/self/cgroup")


def peak_gib() -> float | None:
    """Return the peak of the resident memory since the process started, in GiB.

    None where the platform does not measure it.
    """
    if resource is None:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / _GIB


def available_bytes() -> int | None:
    """Return how much can be allocated without swapping, within the container's limit if any.

    Returns:
        The machine's total memory if the system does not report what is free; None if it reports
        neither.
    """
    known = [size for size in (_of_machine(), *_of_groups()) if size is not None]
    return min(known) if known else None


def total_bytes() -> int | None:
    """Return the memory of the machine; None if the system does not report it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return None


def with_unit(size: int) -> str:
    """Return `14.4 GB` for 14,400,000,000 bytes."""
    for factor, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size} bytes"


def _of_machine() -> int | None:
    try:
        lines = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return total_bytes()


def _of_groups() -> Iterator[int | None]:
    """Yield the free memory of each control group that this process is in, of version 1 or 2.

    A container sees its own group as the root; a batch system's job is further down.
    """
    yield _of_group(_CGROUP, "memory.max", "memory.current", "inactive_file")
    version_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    yield _of_group(_CGROUP / "memory", *version_1)
    try:
        lines = _OWN_GROUP.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        place = Path(path.lstrip("/"))
        for own in (place, *place.parents):
            if not controllers:
                yield _of_group(_CGROUP / own, "memory.max", "memory.current", "inactive_file")
            elif "memory" in controllers.split(","):
                yield _of_group(_CGROUP / "memory" / own, *version_1)


def _of_group(folder: Path, limit: str, used: str, cache: str) -> int | None:
    """Return the free memory of a group; the file cache counts as free."""
    try:
        most = int((folder / limit).read_text())
        now = int((folder / used).read_text())
        lines = (folder / "memory.stat").read_text().splitlines()
        files = int(dict(line.split(" ", 1) for line in lines)[cache])
    except (OSError, KeyError, ValueError):  # no such group, or one without a limit ("max")
        return None
    return max(0, most - now + files)
