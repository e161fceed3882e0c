"""What runs out is named, with the keys to lower."""

from __future__ import annotations

import errno
from pathlib import Path

import polars as pl
import pytest
import torch

from twotower.core.errors import DataError, ResourceError
from twotower.running.limits import limits_named


def test_memory_of_the_host_by_a_real_allocation(tmp_path: Path) -> None:
    expected = r"(?s)out of memory .*lower trainer\.batch_size, tower"
    with pytest.raises(ResourceError, match=expected), limits_named(str(tmp_path)):
        torch.empty(1 << 60)  # 4 EiB


def test_a_full_disk_by_a_real_device(tmp_path: Path) -> None:
    expected = r"No space left on device; .* bytes free in .*the same command resumes"
    with pytest.raises(ResourceError, match=expected), limits_named(str(tmp_path)):
        Path("/dev/full").write_text("x")


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (MemoryError(), ResourceError, r"out of memory \(of Python\); lower"),
        (
            OSError(errno.EDQUOT, "Disk quota exceeded", "/a/file"),
            ResourceError,
            "cannot write /a/file: Disk quota exceeded",
        ),
        (
            pl.exceptions.PanicException("assertion failed"),
            DataError,
            "Polars failed on the data: assertion failed",
        ),
        (FileNotFoundError(errno.ENOENT, "no file"), FileNotFoundError, "no file"),
        (RuntimeError("other"), RuntimeError, "other"),
    ],
)
def test_what_becomes_of_an_error(
    error: BaseException, kind: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=message), limits_named(str(tmp_path)):
        raise error
