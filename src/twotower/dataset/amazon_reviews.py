"""Amazon Reviews: the ratings of one category of products.

J. Ni et al., "Justifying recommendations using distantly-labeled reviews and fine-grained aspects",
EMNLP 2019 (2018); Y. Hou et al., "Bridging language and items for retrieval and recommendation",
2024 (2023).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import PositiveFloat

from twotower.core.component import component
from twotower.dataset.canonical import interactions
from twotower.dataset.download import Archive
from twotower.dataset.mapping import Columns, map_log, named_columns
from twotower.dataset.published import downloaded
from twotower.dataset.tables import read_tables
from twotower.dataset.text import TextFormat
from twotower.dataset.timestamps import TimeFormat, TimestampUnit
from twotower.types import Interactions

__all__ = ["AmazonReviews"]


@component
@dataclass(frozen=True)
class AmazonReviews:
    """From the McAuley lab: the CSV file of the ratings of one category."""

    edition: str
    category: str
    header: bool
    columns: Columns
    timestamp_unit: TimestampUnit
    url: str
    md5: str | None
    connect_timeout_s: PositiveFloat
    cache_dir: str | None

    def load(self) -> Interactions:
        """See Dataset."""
        folder = f"amazon_reviews_{self.edition}"
        archive = Archive(self.url, self.md5, self.connect_timeout_s, folder)
        title = f"Amazon Reviews {self.edition}, {self.category}"
        name = f"{folder}_{archive.name.partition('.')[0]}"
        return downloaded(title, [archive], self.cache_dir, self._read, name)

    def _read(self, paths: Sequence[Path], origin: str) -> Interactions:
        text = TextFormat(",", header=self.header, quote='"', encoding="utf-8", node=None)
        tables = read_tables(str(paths[0]), "dataset.url", text, named_columns(self.columns))
        log = map_log(tables, self.columns, TimeFormat(self.timestamp_unit, None))
        return interactions(log=log, users=None, items=None, test=None, origin=origin)
