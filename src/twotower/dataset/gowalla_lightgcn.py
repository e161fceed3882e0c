"""Gowalla as LightGCN split it: 29,858 users, 40,981 places, without times.

X. He et al., "LightGCN: simplifying and powering graph convolution network for recommendation",
SIGIR 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from pydantic import PositiveFloat

from twotower.core.component import component
from twotower.core.errors import DataError
from twotower.dataset.canonical import interactions
from twotower.dataset.download import Archive
from twotower.dataset.published import downloaded
from twotower.types import ITEM, USER, Interactions

__all__ = ["GowallaLightGCN"]


@component
@dataclass(frozen=True)
class GowallaLightGCN:
    """Two files of one line per user: the user, then the items; the second is the test part."""

    train_url: str
    test_url: str
    connect_timeout_s: PositiveFloat
    cache_dir: str | None

    def load(self) -> Interactions:
        """See Dataset."""
        archives = [
            Archive(url, None, self.connect_timeout_s, "gowalla_lightgcn")
            for url in (self.train_url, self.test_url)
        ]
        title = "Gowalla as split by LightGCN"
        return downloaded(title, archives, self.cache_dir, _read, "gowalla_lightgcn")


def _read(paths: Sequence[Path], origin: str) -> Interactions:
    log, test = (_pairs(path) for path in paths)
    return interactions(log=log, users=None, items=None, test=test, origin=origin)


def _pairs(path: Path) -> pl.DataFrame:
    """Return the pairs of a file; a line of a user alone has none."""
    lines = pl.Series("line", path.read_text(encoding="utf-8").splitlines(), dtype=pl.String)
    ids = (
        lines.str.strip_chars()
        .str.split(" ")
        .list.eval(pl.element().filter(pl.element() != "").cast(pl.Int64, strict=False))
    )
    bad = ids.list.eval(pl.element().is_null()).list.any()
    if bad.any():
        raise DataError(f"{path}: line {bad.arg_true()[0] + 1} is not integers between spaces")
    pairs = pl.DataFrame({USER: ids.list.first(), ITEM: ids.list.slice(1)})
    return pairs.explode(ITEM, empty_as_null=True, keep_nulls=True).drop_nulls()
