"""Memory, disk space and panics of Polars as errors that name what to change."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl
import torch

from twotower.core.errors import DataError, ResourceError
from twotower.core.files import no_room

__all__ = ["limits_named"]

_TORCH_MEMORY = ("can't allocate memory", "not enough memory")  # of its CPU allocator
_SMALLER = (
    "lower trainer.batch_size, tower.emb_dim, negative_sampling.num_negatives or, if it happened "
    "while ranking, evaluation.block_scores"
)


@contextmanager
def limits_named(output_dir: str) -> Iterator[None]:
    """Turn what a run raises when it runs out of memory or disk space into ResourceError.

    Args:
        output_dir: Where the run writes.

    Raises:
        ResourceError: Memory or disk space has run out. What the run has saved is intact.
        DataError: Polars panicked, which is no `Exception`.
    """
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        free, total = torch.cuda.mem_get_info()
        raise ResourceError(
            f"out of memory on the GPU, which has {_size(total)}, {_size(free)} of them free; "
            f"{_SMALLER}"
        ) from error
    except (MemoryError, RuntimeError) as error:
        text = str(error)
        if no_room(error):
            raise _disk_full(output_dir, error) from error
        if isinstance(error, MemoryError) or any(sign in text for sign in _TORCH_MEMORY):
            wanted = text.partition("\n")[0].rpartition("] ")[2]
            raise ResourceError(f"out of memory ({wanted or 'of Python'}); {_SMALLER}") from error
        raise
    except OSError as error:
        if no_room(error):
            raise _disk_full(output_dir, error) from error
        raise
    except pl.exceptions.PanicException as error:
        raise DataError(f"Polars failed on the data: {error}") from error


def _disk_full(output_dir: str, error: Exception) -> ResourceError:
    named = getattr(error, "filename", None)
    places = {place: shutil.disk_usage(place).free for place in (output_dir, tempfile.gettempdir())}
    free = " and ".join(f"{_size(count)} free in {place}" for place, count in places.items())
    reason = error.strerror if isinstance(error, OSError) else str(error).partition("\n")[0]
    return ResourceError(
        f"cannot write{f' {named}' if named else ''}: {reason}; {free} (output_dir and the "
        "temporary folder). Once there is room, the same command resumes from the last checkpoint"
    )


def _size(count: int) -> str:
    return f"{count:,} bytes"
