"""Memory that one training step frees, kept for the next."""

import ctypes
import sys

__all__ = ["keep_freed_memory"]

# From glibc's malloc.h, and bytes; older releases refuse a threshold above 32 MiB for mmap.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT, _KEPT_BY_OLDER_RELEASES = 2**30, 2**25


def keep_freed_memory() -> bool:
    """Let this process keep up to 1 GiB that it has freed; whether the C library agreed.

    A step frees tensors of megabytes and the next one asks for them again. Where glibc has given
    them back meanwhile, each page of them is a fault: half the time of a step of 4,096 positives.
    C libraries other than glibc are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return False
    large = mallopt(_M_MMAP_THRESHOLD, _KEPT) or mallopt(_M_MMAP_THRESHOLD, _KEPT_BY_OLDER_RELEASES)
    return bool(large and mallopt(_M_TRIM_THRESHOLD, _KEPT))
