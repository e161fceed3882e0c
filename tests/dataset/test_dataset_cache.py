"""The cache of fetched datasets: whole, checked, and filled once."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from twotower.core.errors import DownloadError
from twotower.dataset.cache import cache_root, cached_interactions
from twotower.dataset.canonical import interactions
from twotower.types import Interactions


def small() -> Interactions:
    return interactions(
        log=pl.DataFrame({"user_id": [1, 2], "item_id": ["a", "b"]}),
        users=None,
        items=pl.DataFrame({"item_id": ["a", "b"], "genres": [["x"], []]}),
        test=None,
        origin="fetched from somewhere",
    )


class Fetch:
    """Counts its calls; `slow` holds the first until the others have had time to come."""

    def __init__(self, slow: bool = False) -> None:
        self.calls = 0
        self._wait = threading.Event() if slow else None

    def __call__(self) -> Interactions:
        self.calls += 1
        if self._wait is not None:
            self._wait.wait(0.2)
        return small()


def test_fetches_once_and_gives_back_the_same(tmp_path: Path) -> None:
    fetch = Fetch()
    folder = tmp_path / "deep" / "set"
    first, second = (cached_interactions(folder, None, fetch) for _ in range(2))
    assert fetch.calls == 1
    assert second.log.equals(first.log)
    assert second.items is not None
    assert first.items is not None
    assert second.items.equals(first.items)
    assert second.users is None
    assert (second.origin, second.digest) == (first.origin, first.digest)


def test_many_at_once_fetch_once(tmp_path: Path) -> None:
    fetch = Fetch(slow=True)
    with ThreadPoolExecutor(8) as pool:
        folders = [tmp_path / "set"] * 8
        found = list(pool.map(lambda folder: cached_interactions(folder, None, fetch), folders))
    assert fetch.calls == 1
    assert {data.digest for data in found} == {small().digest}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set", "set.lock"]


@pytest.mark.parametrize("name", ["log.parquet", "items.parquet", "meta.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_a_damaged_entry_is_fetched_again(
    tmp_path: Path, name: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    fetch = Fetch()
    cached_interactions(tmp_path / "set", None, fetch)
    file = tmp_path / "set" / name
    content = file.read_bytes()
    half = len(content) // 2
    if damage == "gone":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(content[:half])
    else:  # in meta.json this hits the middle of a checksum or a name
        file.write_bytes(content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :])
    with caplog.at_level(logging.WARNING):
        again = cached_interactions(tmp_path / "set", None, fetch)
    assert fetch.calls == 2
    assert again.log.equals(small().log)
    assert f"Rebuilding the damaged cache entry {tmp_path}/set: " in caplog.text
    cached_interactions(tmp_path / "set", None, fetch)
    assert fetch.calls == 2


def test_an_entry_with_another_digest_is_fetched_again(tmp_path: Path) -> None:
    fetch = Fetch()
    cached_interactions(tmp_path / "set", None, fetch)
    cached_interactions(tmp_path / "set", small().digest, fetch)
    assert fetch.calls == 1
    cached_interactions(tmp_path / "set", "0" * 64, fetch)
    assert fetch.calls == 2


def test_a_failed_fetch_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail() -> Interactions:
        raise DownloadError("no")

    with pytest.raises(DownloadError, match=r"^no$"):
        cached_interactions(tmp_path / "set", None, fail)
    assert cached_interactions(tmp_path / "set", None, small).digest == small().digest


def test_a_cache_that_cannot_be_written_names_the_key(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadError) as error:
        cached_interactions(tmp_path / "file" / "cache" / "set", None, small)
    message = str(error.value)
    assert message.startswith(f"cannot write to the cache folder {tmp_path}/file/cache: ")
    assert message.endswith(
        "name another with dataset.cache_dir or the environment variable TWOTOWER_CACHE_DIR"
    )


def test_the_key_comes_before_the_variable_before_the_users_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TWOTOWER_CACHE_DIR", raising=False)
    assert cache_root(None).name == "twotower"
    monkeypatch.setenv("TWOTOWER_CACHE_DIR", str(tmp_path / "variable"))
    assert cache_root(None) == tmp_path / "variable"
    assert cache_root(str(tmp_path / "key")) == tmp_path / "key"
