"""Memory that one training step frees, kept for the next."""

import ctypes
import sys

__all__ = ["keep_freed_memory"]

# From glibc's malloc.h; the second size is the largest that every release takes.
_M_TRIM_THRESHOLD, _KEPT_BYTES = -1, 2**30
_M_MMAP_THRESHOLD, _HEAP_BYTES = -3, 2**25


def keep_freed_memory() -> bool:
    """Let this process keep up to 1 GiB that it has freed; whether the C library was told.

    A step frees tensors of megabytes and the next one asks for them again. Where glibc has given
    them back meanwhile, each page of them is a fault: half the time of a step of 4,096 positives.
    Other C libraries than glibc are left as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _HEAP_BYTES) and mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES))
