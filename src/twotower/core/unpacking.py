"""Limits on what a compressed file may unpack to."""

from __future__ import annotations

from typing import IO, Any

from twotower.core.memory import total_bytes

__all__ = ["UnpackedSizeError", "unpacked"]

_RATIO = 200  # times the packed size; what people call logs reaches some 50
_ANY_RATIO = 1 << 30  # bytes that are allowed at any ratio
_NO_LIMIT_KNOWN = 64 << 30
_STEP = 1 << 24


class UnpackedSizeError(ValueError):
    """A compressed file unpacks to more than is allowed."""


def unpacked(stream: IO[bytes] | Any, packed: int) -> bytes:
    """Return all bytes of `stream`, which decompresses `packed` bytes.

    Raises:
        UnpackedSizeError: They are more than the machine has memory for, or more than 1 GiB and
            200 times `packed`. No more than that is unpacked.
    """
    memory = total_bytes() or _NO_LIMIT_KNOWN
    limit = min(memory, max(_ANY_RATIO, _RATIO * packed))
    pieces, size = [], 0
    while piece := stream.read(_STEP):
        size += len(piece)
        if size > limit:
            why = (
                "the memory of this machine" if limit == memory else f"over {_RATIO} times its size"
            )
            raise UnpackedSizeError(
                f"it unpacks to more than {limit:,} bytes, {why}; if it is what it should be, "
                "unpack it and convert it to Parquet"
            )
        pieces.append(piece)
    return b"".join(pieces)
