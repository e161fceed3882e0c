"""Compressed files and archives that are made to fill memory or disk, or to leave their folder."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from twotower.core import unpacking
from twotower.core.errors import DataError
from twotower.core.files import write_atomically
from twotower.core.remote import local_copy
from twotower.dataset.content import read_content
from twotower.dataset.download import SourceError
from twotower.dataset.movielens import member, read_zip
from twotower.dataset.movielens_100k import _read_archive

MIB = 1 << 20
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "zst": lambda content: pa.compress(content, codec="zstd", asbytes=True),
    "bz2": bz2.compress,
    "xz": lzma.compress,
}


@pytest.fixture(autouse=True)
def low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow 1 MiB in place of 1 GiB, in steps of 64 KiB."""
    monkeypatch.setattr(unpacking, "_ANY_RATIO", MIB)
    monkeypatch.setattr(unpacking, "_STEP", 1 << 16)


@pytest.mark.parametrize("kind", PACKERS)
def test_files_that_unpack_to_too_much(kind: str, tmp_path: Path) -> None:
    file = tmp_path / f"log.csv.{kind}"
    file.write_bytes(PACKERS[kind](b"1,2\n" * (MIB // 4)))
    assert len(read_content(file, "dataset.path")) == MIB
    bomb = PACKERS[kind](b"1,2\n" * (MIB))
    file.write_bytes(bomb)
    assert 200 * len(bomb) < 4 * MIB
    with pytest.raises(
        DataError,
        match=r"log.csv.* it unpacks to more than 1,048,576 bytes, over 200 times its size",
    ):
        read_content(file, "dataset.path")


def test_a_file_larger_than_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "total_bytes", lambda: MIB // 2)
    file = tmp_path / "log.csv.gz"
    file.write_bytes(gzip.compress(os.urandom(MIB)))
    with pytest.raises(DataError, match="more than 524,288 bytes, the memory of this machine"):
        read_content(file, "dataset.path")


def test_a_zip_archive_that_unpacks_to_too_much(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "ml.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("u.data", b"0" * (16 * MIB))
    with pytest.raises(SourceError, match="does not hold MovieLens: it unpacks to more than"):
        read_zip(tmp_path / "ml.zip", _read_archive, "a test")


def test_nothing_of_a_zip_archive_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    link = zipfile.ZipInfo("link/u.user")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    device = zipfile.ZipInfo("u.item")
    device.external_attr = (stat.S_IFBLK | 0o777) << 16
    with zipfile.ZipFile("ml.zip", "w") as hostile:
        hostile.writestr("../../u.data", "1")
        hostile.writestr(f"{tmp_path}/u.info", "2")
        hostile.writestr(link, "/etc/passwd")
        hostile.writestr(device, "")
    with zipfile.ZipFile("ml.zip") as archive:
        names = ("u.data", "u.info", "u.user", "u.item")
        assert [member(archive, name) for name in names] == [b"1", b"2", b"/etc/passwd", b""]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["here", "ml.zip"]


def test_an_archive_with_a_password(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "ml.zip", "w") as archive:
        archive.writestr("u.data", b"1")
    content = bytearray((tmp_path / "ml.zip").read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag of encryption
    (tmp_path / "ml.zip").write_bytes(content)
    with pytest.raises(SourceError, match="password required"):
        read_zip(tmp_path / "ml.zip", _read_archive, "a test")


def test_temporary_folders_are_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        (tmp_path / "log.csv").write_text("1")
        with local_copy(f"file://{tmp_path}/log.csv", "dataset.path") as copy:
            assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700
        modes = []

        def write(path: Path) -> None:
            modes.append(stat.S_IMODE(path.parent.stat().st_mode))
            path.touch()

        write_atomically(tmp_path / "file", write)
        assert modes == [0o700]
    finally:
        os.umask(before)
