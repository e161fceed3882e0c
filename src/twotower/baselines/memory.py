"""Free memory, so that a fit that is too large can be refused with a message."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["available_bytes", "gigabytes"]

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def available_bytes() -> int | None:
    """Return how much can be allocated without swapping, within the container's limit if any.

    Returns:
        The machine's total memory if the system does not report what is free; None if it reports
        neither.
    """
    known = [size for size in (_of_machine(), _of_container()) if size is not None]
    return min(known) if known else None


def gigabytes(size: int) -> str:
    """Return `14.4 GB` for 14,400,000,000 bytes."""
    return f"{size / 1e9:,.1f} GB"


def _of_machine() -> int | None:
    try:
        lines = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return None


def _of_container() -> int | None:
    """Return the free memory by cgroup v2; the file cache counts as free."""
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
        lines = (_CGROUP / "memory.stat").read_text().splitlines()
        cache = int(dict(line.split(" ", 1) for line in lines)["inactive_file"])
    except (OSError, KeyError, ValueError):  # no container, or one without a limit ("max")
        return None
    return max(0, limit - used + cache)
