"""What is exported of a model: the embeddings of both sides and their ids."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from twotower.serving.recommender import Recommender, Vectors
from twotower.types import ITEM, USER, Side

__all__ = ["Exported", "ExportedSide"]


@dataclass(frozen=True)
class ExportedSide:
    """One side of a model.

    Attributes:
        name: `users` or `items`.
        ids: [n] original ids, the name of the series being `user_id` or `item_id`.
        vectors: [n, D] float32.
        side: The features.
    """

    name: str
    ids: pl.Series
    vectors: Vectors
    side: Side

    def write_ids(self, folder: Path) -> None:
        """Write `<name>.parquet`: the id of each row, in order."""
        self.ids.to_frame().write_parquet(folder / f"{self.name}.parquet")

    def metadata(self) -> pl.DataFrame:
        """Return the id and the features that are one value each, on one line each."""
        columns = [self.ids]
        if self.side.features is not None:
            columns += [
                c for c in self.side.features.head(len(self.ids)) if not c.dtype.is_nested()
            ]
        texts = [c.cast(pl.String).fill_null("").str.replace_all(r"\s+", " ") for c in columns]
        return pl.DataFrame(texts)


@dataclass(frozen=True)
class Exported:
    """A model, and the embeddings of what it can rank and serve."""

    recommender: Recommender

    @cached_property
    def users(self) -> ExportedSide:
        """The users that the model can serve."""
        vectors = self.recommender.user_vectors()
        ids = self.recommender.vocabulary.users.head(len(vectors)).alias(USER)
        return ExportedSide("users", ids, vectors, self.recommender.users)

    @cached_property
    def items(self) -> ExportedSide:
        """The items that the model can rank."""
        vectors = self.recommender.item_vectors()
        ids = self.recommender.vocabulary.items.head(len(vectors)).alias(ITEM)
        return ExportedSide("items", ids, vectors, self.recommender.items)

    @property
    def sides(self) -> tuple[ExportedSide, ExportedSide]:
        """Users and items."""
        return self.users, self.items
