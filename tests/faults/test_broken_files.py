"""Any bytes give the right table or one DataError: no traceback, no hang, no silent loss."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tempfile
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twotower.core.errors import ConfigError, DataError
from twotower.dataset.mapping import Columns
from twotower.dataset.parquet_log import open_parquet_log
from twotower.dataset.tables import read_tables
from twotower.dataset.text import TextFormat
from twotower.dataset.timestamps import TimeFormat

COLUMNS = [("user_id", None), ("item_id", None)]
LOG = pl.DataFrame({"user_id": [f"u{n}" for n in range(60)], "item_id": [*range(60)]})
TEXT = TextFormat(None, True, '"', "utf-8")
EXAMPLES = int(os.environ.get("TWOTOWER_FUZZ", "200"))


def parquet() -> bytes:
    out = io.BytesIO()
    LOG.write_parquet(out)
    return out.getvalue()


CSV = LOG.write_csv().encode()
FILES = {
    "log.csv": CSV,
    "log.tsv": LOG.write_csv(separator="\t").encode(),
    "log.csv.gz": gzip.compress(CSV),
    "log.csv.bz2": bz2.compress(CSV),
    "log.csv.xz": lzma.compress(CSV),
    "log.csv.zst": pa.compress(CSV, codec="zstd", asbytes=True),
    "log.parquet": parquet(),
}


def read(path: Path) -> pl.DataFrame:
    """Return what is read, with ids as text, in the order of the file."""
    tables = read_tables(str(path), "dataset.path", TEXT, COLUMNS)
    return pl.concat([table.frame.cast(pl.String) for table in tables])


def test_whole_files(tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
        assert read(tmp_path / name).equals(LOG.cast(pl.String)), name


def read_damaged(name: str, content: bytes) -> pl.DataFrame | None:
    """Return the table, None for a DataError; any other exception fails the test."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        message = ""
        try:
            return read(path)
        except DataError as error:
            message = str(error)
        assert str(path) in message
        return None


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """A file of which bytes were replaced, removed or added, or that was cut off."""
    name = draw(st.sampled_from(sorted(FILES)))
    content = bytearray(FILES[name])
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(content)))
        kind = draw(st.sampled_from(["cut", "replace", "remove", "add"]))
        if kind == "cut":
            del content[place:]
        elif kind == "remove":
            del content[place : place + draw(st.integers(1, 20))]
        else:
            new = draw(st.binary(min_size=1, max_size=8))
            content[place : place + (len(new) if kind == "replace" else 0)] = new
    return name, bytes(content)


def read_streamed(content: bytes) -> None:
    """Read a Parquet file in batches; any exception but an error about the file fails the test."""
    columns: Columns = {
        "user": "user_id",
        "item": "item_id",
        "timestamp": None,
        "rating": None,
        "weight": None,
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log.parquet")
        path.write_bytes(content)
        message = str(path)
        try:
            log = open_parquet_log(str(path), columns, TimeFormat("auto", None), "time", None, None)
            for _ in log.batches():
                pass
        except (ConfigError, DataError) as error:
            message = str(error)
        assert str(path) in message


def fuzz(file: tuple[str, bytes]) -> None:
    name, content = file
    table = read_damaged(name, content)
    if name.endswith(".parquet"):
        read_streamed(content)
    if table is not None and name.endswith((".gz", ".bz2", ".xz")):  # checksums find any damage
        assert table.equals(LOG.cast(pl.String))


FEW = settings(max_examples=30, deadline=10_000, suppress_health_check=[HealthCheck.too_slow])
test_damaged_bytes = FEW(given(damaged())(fuzz))
test_many_damaged_bytes = pytest.mark.slow(
    settings(FEW, max_examples=EXAMPLES)(given(damaged())(fuzz))
)


@pytest.mark.parametrize(
    "name", ["log.csv.gz", "log.csv.bz2", "log.csv.xz", "log.csv.zst", "log.parquet"]
)
def test_a_file_that_was_cut_off(name: str) -> None:
    content = FILES[name]
    for end in (1, 5, len(content) // 2, len(content) - 9, len(content) - 1):
        assert read_damaged(name, content[:end]) is None, end


def test_places_that_hold_no_file(tmp_path: Path) -> None:
    (tmp_path / "dangling.csv").symlink_to(tmp_path / "nowhere.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    for name in ("dangling.csv", "pipe.csv", "loop.csv", "missing.csv", "x" * 300 + ".csv"):
        with pytest.raises(DataError, match=r"dataset\.path"):
            read(tmp_path / name)


def test_folders_of_spark_are_counted_once(tmp_path: Path) -> None:
    for day in ("day=1.parquet", "day=2.parquet"):
        (tmp_path / "logs" / day).mkdir(parents=True)
        half = LOG.head(30) if day.startswith("day=1") else LOG.tail(30)
        half.write_parquet(tmp_path / "logs" / day / "part-00000.parquet")
        (tmp_path / "logs" / day / "_SUCCESS").touch()
        (tmp_path / "logs" / day / ".part-00000.parquet.crc").touch()
    assert read(tmp_path / "logs").equals(LOG.cast(pl.String))


@pytest.mark.parametrize(
    "name", ["log[1].parquet", "a*b.csv", "what?.csv", "{a,b}.parquet", "[!x].csv"]
)
def test_names_with_characters_of_patterns(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(FILES[f"log{Path(name).suffix}"])
    assert read(tmp_path / name).equals(LOG.cast(pl.String))


def test_a_header_that_repeats_a_name(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user_id,item_id,user_id\n1,2,3\n")
    with pytest.raises(DataError, match="the header names 'user_id' more than once"):
        read(tmp_path / "log.csv")
