"""The other MovieLens releases, on a few made-up lines in their formats."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from twotower.core.errors import DownloadError
from twotower.dataset.movielens_1m import MovieLens1M
from twotower.dataset.movielens_csv import MovieLensCsv

WriteZip = Callable[[Path, dict[str, bytes]], Path]


def test_1m_reads_dat_files(
    tmp_path: Path, serve: Callable[[str], str], write_zip: WriteZip
) -> None:
    members = {
        "ml-1m/ratings.dat": b"1::20::5::978300760\n2::10::3::978300700\n",
        "ml-1m/users.dat": b"1::F::1::10::48067\n2::M::56::0::02460-1512\n",
        "ml-1m/movies.dat": '10::Café (1995)::Drama|Film-Noir\n20::Up: "Q" (2000)::War\n'.encode(
            "latin-1"
        ),
    }
    write_zip(tmp_path / "www" / "ml-1m.zip", members)
    data = MovieLens1M(serve("ml-1m.zip"), None, 3.0, str(tmp_path / "cache")).load()
    # 978300700 s after 1970 is 2000-12-31 22:11:40 UTC.
    assert data.log.rows() == [
        (2, 10, 3.0, dt.datetime(2000, 12, 31, 22, 11, 40)),
        (1, 20, 5.0, dt.datetime(2000, 12, 31, 22, 12, 40)),
    ]
    assert data.users is not None
    assert data.users.rows() == [
        (1, 1, "F", "K-12 student", "48067"),
        (2, 56, "M", "other", "02460-1512"),
    ]
    assert data.items is not None
    assert data.items.rows() == [
        (10, "Café (1995)", 1995, ["Drama", "Film-Noir"]),
        (20, 'Up: "Q" (2000)', 2000, ["War"]),
    ]
    assert data.origin.startswith("MovieLens 1M from the cache ")


@pytest.mark.parametrize("name", ["ml-20m", "ml-25m", "ml-32m", "ml-latest-small"])
def test_csv_releases(tmp_path: Path, write_zip: WriteZip, name: str) -> None:
    members = {
        f"{name}/ratings.csv": (
            b"userId,movieId,rating,timestamp\n1,296,5.0,978300010\n1,1,0.5,978300011\n"
        ),
        f"{name}/movies.csv": (
            b"movieId,title,genres\n"
            b'1,"American President, The (1995)",Comedy|Drama\n'
            b"296,Babylon 5,(no genres listed)\n"
        ),
        f"{name}/tags.csv": b"userId,movieId,tag,timestamp\n",
    }
    write_zip(tmp_path / "downloads" / f"{name}.zip", members)
    data = MovieLensCsv(f"http://127.0.0.1:1/{name}.zip", None, 3.0, str(tmp_path)).load()
    assert data.log.select("user_id", "item_id", "rating").rows() == [(1, 296, 5.0), (1, 1, 0.5)]
    assert data.users is None
    assert data.items is not None
    assert data.items.rows() == [
        (1, "American President, The (1995)", 1995, ["Comedy", "Drama"]),
        (296, "Babylon 5", None, []),
    ]
    assert data.origin == (
        f"MovieLens {name} from the cache {tmp_path}/datasets/{name}, "
        f"read from {tmp_path}/downloads/{name}.zip"
    )


def test_an_unavailable_release_names_the_file_to_place_and_where(tmp_path: Path) -> None:
    with pytest.raises(DownloadError) as error:
        MovieLens1M("http://127.0.0.1:1/ml-1m.zip", None, 3.0, str(tmp_path)).load()
    assert str(error.value) == (
        f"MovieLens 1M is not in the cache {tmp_path} and cannot be fetched: 127.0.0.1 could not "
        f"be reached. Put ml-1m.zip (from http://127.0.0.1:1/ml-1m.zip) at "
        f"{tmp_path}/downloads/ml-1m.zip and run again, or set dataset.cache_dir to a cache that "
        "holds it"
    )
