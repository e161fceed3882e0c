"""Gowalla: check-ins of users at places, 2009 to 2010, from SNAP.

E. Cho, S. A. Myers, J. Leskovec, "Friendship and mobility: user movement in location-based social
networks", KDD 2011.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from twotower.core.component import component
from twotower.dataset.canonical import interactions
from twotower.dataset.mapping import Columns, map_log
from twotower.dataset.published import PublishedArchive, downloaded
from twotower.dataset.tables import read_tables
from twotower.dataset.text import TextFormat
from twotower.dataset.timestamps import TimeFormat
from twotower.types import ITEM, Interactions

__all__ = ["Gowalla"]

_COLUMNS: Columns = {"user": 1, "timestamp": 2, "item": 5, "rating": None, "weight": None}
_TEXT = TextFormat("\t", header=False, quote=None, encoding="utf-8", node=None)


@component
@dataclass(frozen=True)
class Gowalla(PublishedArchive):
    """Check-ins with their times; items are places, with latitude and longitude as features."""

    def load(self) -> Interactions:
        """See Dataset."""
        return downloaded("Gowalla", [self.archive], self.cache_dir, _read, "gowalla")


def _read(paths: Sequence[Path], origin: str) -> Interactions:
    tables = read_tables(str(paths[0]), "dataset.url", _TEXT, None)
    log = map_log(tables, _COLUMNS, TimeFormat("auto", None))
    places = log.select(ITEM).with_columns(
        tables[0].frame["3"].cast(pl.Float64).alias("latitude"),
        tables[0].frame["4"].cast(pl.Float64).alias("longitude"),
    )
    items = places.unique(ITEM, keep="first", maintain_order=True)
    return interactions(log=log, users=None, items=items, test=None, origin=origin)
