"""MovieLens 100K: two sources, one table, and a way out when neither can be reached."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from omegaconf import OmegaConf

from twotower.core.errors import DownloadError
from twotower.dataset.movielens_100k import MovieLens100K

NOWHERE = "http://127.0.0.1:1/ml-100k.zip"  # nothing listens on port 1
CONFIG = Path(__file__).parents[2] / "conf" / "dataset" / "movielens_100k.yaml"


Write = Callable[[Path], Path]
Serve = Callable[[str], str]
Point = Callable[[Path], None]


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def dataset(
    cache: Path, url: str = NOWHERE, md5: str | None = None, digest: str | None = None
) -> MovieLens100K:
    return MovieLens100K(url, md5, 3.0, "recbole==1.2.1", digest, str(cache))


def test_reads_the_archive_into_canonical_tables(
    tmp_path: Path, serve: Serve, write_ml_100k: Write
) -> None:
    archive = write_ml_100k(tmp_path / "www" / "ml-100k.zip")
    data = dataset(tmp_path / "cache", serve("ml-100k.zip"), md5(archive)).load()

    # Ordered by time; 881250948 s after 1970 is 1997-12-04 15:55:48 UTC.
    assert data.log.rows() == [
        (9, 1, 4.0, dt.datetime(1997, 12, 4, 15, 55, 48)),
        (7, 2, 5.0, dt.datetime(1997, 12, 4, 15, 55, 49)),
        (7, 1, 3.0, dt.datetime(1997, 12, 4, 15, 55, 50)),
        (9, 267, 1.0, dt.datetime(1997, 12, 4, 15, 55, 51)),
    ]
    assert data.log.schema == {
        "user_id": pl.Int64,
        "item_id": pl.Int64,
        "rating": pl.Float64,
        "timestamp": pl.Datetime("us"),
    }
    assert data.users is not None
    assert data.users.rows() == [
        (7, 24, "M", "technician", "02138"),
        (9, 53, "F", "other", "T8H1N"),
    ]
    assert data.items is not None
    assert data.items.rows() == [
        (1, "Toy Story (1995)", 1995, ["Animation", "Children's", "Comedy"]),
        (2, "Misérables, Les (1995)", 1995, ["Drama", "Musical"]),
        (3, "Land (1995) (V)", 1995, ["Animation"]),
        (267, "unknown", None, ["unknown"]),
    ]
    where = f"{tmp_path}/cache/datasets/ml-100k, fetched from {serve('ml-100k.zip')}"
    assert data.origin == f"MovieLens 100K from the cache {where}"


def test_the_wheel_gives_the_same_tables_as_the_archive(
    tmp_path: Path,
    serve: Serve,
    only_wheels_in: Point,
    write_ml_100k: Write,
    write_recbole_wheel: Write,
) -> None:
    write_ml_100k(tmp_path / "www" / "ml-100k.zip")
    write_recbole_wheel(tmp_path / "wheels")
    only_wheels_in(tmp_path / "wheels")
    archive = dataset(tmp_path / "a", serve("ml-100k.zip")).load()
    wheel = dataset(tmp_path / "b", digest=archive.digest).load()

    assert wheel.log.equals(archive.log)
    for found, expected in ((wheel.users, archive.users), (wheel.items, archive.items)):
        assert found is not None
        assert expected is not None
        assert found.equals(expected)
    assert wheel.digest == archive.digest
    assert wheel.origin.endswith(
        "fetched from the recbole 1.2.1 wheel on PyPI (127.0.0.1 could not be reached)"
    )


def test_a_download_with_a_wrong_checksum_is_refused(
    tmp_path: Path,
    serve: Serve,
    only_wheels_in: Point,
    write_ml_100k: Write,
    write_recbole_wheel: Write,
) -> None:
    found = md5(write_ml_100k(tmp_path / "www" / "ml-100k.zip"))
    write_recbole_wheel(tmp_path / "wheels")
    only_wheels_in(tmp_path / "wheels")
    data = dataset(tmp_path / "cache", serve("ml-100k.zip"), "0" * 32).load()
    assert "recbole 1.2.1 wheel on PyPI (the file at http" in data.origin
    assert f"was refused: its md5 is {found}, expected {'0' * 32} (dataset.md5)" in data.origin


def test_an_archive_placed_by_hand_is_used(tmp_path: Path, write_ml_100k: Write) -> None:
    placed = write_ml_100k(tmp_path / "cache" / "downloads" / "ml-100k.zip")
    data = dataset(tmp_path / "cache", md5=md5(placed)).load()
    assert data.log.height == 4
    assert data.origin.endswith(f"read from {placed}")


def test_an_archive_placed_by_hand_with_a_wrong_checksum_stops(
    tmp_path: Path, write_ml_100k: Write
) -> None:
    placed = write_ml_100k(tmp_path / "cache" / "downloads" / "ml-100k.zip")
    with pytest.raises(DownloadError) as error:
        dataset(tmp_path / "cache", md5="0" * 32).load()
    assert str(error.value) == (
        f"{placed}: its md5 is {md5(placed)}, expected {'0' * 32} (dataset.md5); "
        "replace or remove the file"
    )


def test_offline_without_a_cache_names_the_file_to_place_and_where(
    tmp_path: Path, only_wheels_in: Point
) -> None:
    only_wheels_in(tmp_path / "no_wheels")
    with pytest.raises(DownloadError) as error:
        dataset(tmp_path / "cache").load()
    message = str(error.value)
    assert message.startswith(
        f"MovieLens 100K is not in the cache {tmp_path}/cache and cannot be fetched: "
        "127.0.0.1 could not be reached; pip could not download the wheel recbole==1.2.1 ("
    )
    assert message.endswith(
        f"Put ml-100k.zip (from {NOWHERE}) at {tmp_path}/cache/downloads/ml-100k.zip and run "
        "again, or set dataset.cache_dir to a cache that holds it"
    )


def test_offline_with_a_cache_needs_nobody(tmp_path: Path, write_ml_100k: Write) -> None:
    placed = write_ml_100k(tmp_path / "cache" / "downloads" / "ml-100k.zip")
    first = dataset(tmp_path / "cache").load()
    placed.unlink()
    again = dataset(tmp_path / "cache").load()
    assert again.log.equals(first.log)
    assert (again.digest, again.origin) == (first.digest, first.origin)


def test_content_with_another_digest_is_refused(
    tmp_path: Path, only_wheels_in: Point, write_recbole_wheel: Write
) -> None:
    write_recbole_wheel(tmp_path / "wheels")
    only_wheels_in(tmp_path / "wheels")
    with pytest.raises(DownloadError, match=r"content digest [0-9a-f]{64}, dataset\.digest abc"):
        dataset(tmp_path / "cache", digest="abc").load()


@pytest.mark.parametrize(
    ("members", "complaint"),
    [({"ml-100k/u.data": b""}, "ml-100k.zip does not hold MovieLens: "), (None, "not a zip file")],
)
def test_an_archive_of_something_else_is_passed_over(
    tmp_path: Path,
    only_wheels_in: Point,
    members: dict[str, bytes] | None,
    complaint: str,
    write_zip: Callable[..., Path],
) -> None:
    only_wheels_in(tmp_path / "no_wheels")
    placed = write_zip(tmp_path / "cache" / "downloads" / "ml-100k.zip", members or {})
    if members is None:
        placed.write_bytes(b"<html>not found</html>")
    with pytest.raises(DownloadError, match=complaint):
        dataset(tmp_path / "cache").load()


def test_an_answer_without_the_file_is_named(
    tmp_path: Path, serve: Serve, only_wheels_in: Point
) -> None:
    only_wheels_in(tmp_path / "no_wheels")
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1 answered 404 File not found"):
        dataset(tmp_path / "cache", serve("ml-100k.zip")).load()


def test_the_published_data(tmp_path: Path) -> None:
    """The real thing, wherever a package index or GroupLens is in reach."""
    config = OmegaConf.load(CONFIG)
    published = MovieLens100K(
        config.url, config.md5, config.connect_timeout_s, config.wheel, config.digest, str(tmp_path)
    )
    try:
        data = published.load()
    except DownloadError as error:
        if "could not" not in str(error):
            raise
        pytest.skip(f"no network: {error}")
    assert data.digest == config.digest
    assert data.log.height == 100_000
    assert data.log["user_id"].n_unique() == 943
    assert data.log["item_id"].n_unique() == 1_682
    assert data.users is not None
    assert data.items is not None
    assert (data.users.height, data.items.height) == (943, 1_682)
