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
    with (
        pytest.raises(ResourceError, match=r"(?s)out of memory .*lower trainer\.batch_size, tower"),
        limits_named(str(tmp_path)),
    ):
        torch.empty(1 << 60)  # 4 EiB
    with pytest.raises(ResourceError, match=r"out of memory \(of Python\); lower"):
        with limits_named(str(tmp_path)):
            raise MemoryError


def test_a_full_disk_by_a_real_device(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"No space left on device; .* bytes free in") as caught:
        with limits_named(str(tmp_path)):
            Path("/dev/full").write_text("x")
    assert "the same command resumes" in str(caught.value)
    with pytest.raises(ResourceError, match="cannot write /a/file: Disk quota exceeded"):
        with limits_named(str(tmp_path)):
            raise OSError(errno.EDQUOT, "Disk quota exceeded", "/a/file")


def test_a_panic_of_polars_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Polars failed on the data: assertion"):
        with limits_named(str(tmp_path)):
            raise pl.exceptions.PanicException("assertion failed")


def test_other_errors_pass(tmp_path: Path) -> None:
    for error in (FileNotFoundError(errno.ENOENT, "no file"), RuntimeError("other"), ValueError()):
        with pytest.raises(type(error)), limits_named(str(tmp_path)):
            raise error
