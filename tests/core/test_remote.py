"""Paths in object stores are read and written like local ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fsspec
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from twotower.core.errors import ConfigError, DataError
from twotower.core.remote import local_copy
from twotower.core.table_file import write_table
from twotower.core.writable import require_writable_file, require_writable_folder
from twotower.dataset.tables import read_tables
from twotower.dataset.text import TextFormat

TEXT = TextFormat(separator=None, header=True, quote='"', encoding="utf-8")
LOG = pl.DataFrame({"user_id": [1, 2], "item_id": [3, 4]})


@pytest.fixture
def store() -> Iterator[fsspec.AbstractFileSystem]:
    """A store in memory, empty before and after."""
    memory = fsspec.filesystem("memory")
    yield memory
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An S3 server of this process with an empty bucket; returns the bucket's URL."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    filesystem = fsspec.filesystem("s3", skip_instance_cache=True)
    filesystem.mkdir("bucket")
    yield "s3://bucket"
    server.stop()


def test_tables_are_written_to_s3_and_read_back(s3: str) -> None:
    write_table(LOG, f"{s3}/logs/a.parquet")
    write_table(LOG, f"{s3}/logs/b.csv")
    [parquet] = read_tables(f"{s3}/logs/a.parquet", "dataset.path", TEXT, None)
    [csv] = read_tables(f"{s3}/logs/b.csv", "dataset.path", TEXT, None)
    assert_frame_equal(parquet.frame, LOG)
    assert csv.frame.to_dict(as_series=False) == {"user_id": ["1", "2"], "item_id": ["3", "4"]}
    with pytest.raises(DataError, match=r"s3://bucket/none\.csv does not exist; dataset\.path"):
        read_tables(f"{s3}/none.csv", "dataset.path", TEXT, None)


def test_a_folder_has_its_visible_parquet_files(store: fsspec.AbstractFileSystem) -> None:
    for name in ("a.parquet", "_day=1/b.parquet", "_tmp/c.parquet", ".d.parquet"):
        write_table(LOG, f"memory://logs/{name}")
    store.pipe_file("/logs/_SUCCESS", b"")
    tables = read_tables("memory://logs", "dataset.path", TEXT, None)
    names = [table.file for table in tables]
    assert names == ["memory://logs/_day=1/b.parquet", "memory://logs/a.parquet"]


def test_errors_name_the_url(store: fsspec.AbstractFileSystem) -> None:
    store.pipe_file("/log.csv", b"user_id,item\n1,2\n")
    columns: list[tuple[str, str | None]] = [("item_id", "dataset.columns.item")]
    with pytest.raises(DataError, match=r"^memory://log.csv has no column 'item_id'"):
        read_tables("memory://log.csv", "dataset.path", TEXT, columns)


def test_an_unknown_protocol_is_refused() -> None:
    with (
        pytest.raises(ConfigError, match="must be a local path, or begin with s3://, gs://"),
        local_copy("s4://bucket/log.csv", "dataset.path"),
    ):
        pass


def test_lists_can_be_written_to_a_store_and_runs_cannot() -> None:
    require_writable_file("file", "memory://lists.csv")
    with pytest.raises(ConfigError, match="output_dir: got 's3://b/x'; must be a local folder"):
        require_writable_folder("output_dir", "s3://b/x")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(url: str) -> None:
        raise ImportError("Install gcsfs to access Google Storage")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(ConfigError, match=r"Install gcsfs .* pip install 'twotower\[cloud\]'"):
        require_writable_file("file", "gs://bucket/lists.csv")


def test_the_copy_is_deleted(store: fsspec.AbstractFileSystem) -> None:
    store.pipe_file("/a.csv", b"x")
    with local_copy("memory://a.csv", "file") as local:
        assert local.read_bytes() == b"x"
    assert not Path(local).exists()
