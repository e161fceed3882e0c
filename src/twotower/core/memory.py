"""The memory that this process has used at most."""

from __future__ import annotations

import sys

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

__all__ = ["peak_gib"]

_GIB = 2**30


def peak_gib() -> float | None:
    """Return the peak of the resident memory since the process started, in GiB.

    None where the platform does not measure it.
    """
    if resource is None:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / _GIB
