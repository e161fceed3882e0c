"""Recommendations and relevant items as frames with the original ids."""

from __future__ import annotations

import polars as pl
import torch

from twotower.types import ITEM, USER, Fold, Recommendations, Vocabulary

__all__ = ["ids_of", "recommendations_frame", "relevant_frame"]


def recommendations_frame(
    recommendations: Recommendations, vocabulary: Vocabulary, items: pl.DataFrame | None
) -> pl.DataFrame:
    """Return one row per recommended item, best first, users in the order of `recommendations`.

    Args:
        recommendations: Lists of row numbers.
        vocabulary: Translates row numbers to original ids.
        items: One row per item, key `item_id`; its `title`, if any, is added.

    Returns:
        `user_id`, `item_id`, `rank` (from 1), `score` (Float32) and, if known, `title`. Users
        without recommendations have no row.
    """
    rows, places = torch.nonzero(recommendations.items >= 0, as_tuple=True)
    frame = pl.DataFrame(
        [
            vocabulary.users.gather(recommendations.users[rows].numpy()).alias(USER),
            vocabulary.items.gather(recommendations.items[rows, places].numpy()).alias(ITEM),
            pl.Series("rank", (places + 1).numpy()),
            pl.Series("score", recommendations.scores[rows, places].numpy()),
        ]
    )
    if items is None or "title" not in items.columns:
        return frame
    return frame.join(items.select(ITEM, "title"), on=ITEM, how="left", maintain_order="left")


def relevant_frame(recommendations: Recommendations, fold: Fold) -> pl.DataFrame:
    """Return one row per held-out pair.

    Returns:
        `user_id` and `item_id` (null if cold); `popularity`, Int64, interactions of the item in
        train; `rank`, Int64 from 1, the item's place in the user's list, null if it is not in it.
    """
    train, relevant = fold.train, fold.holdout.relevant
    rows, items = relevant.rows, relevant.items
    users = fold.holdout.users[rows]
    found = recommendations.items[rows] == items[:, None]  # [n, K]
    ranks = pl.Series("rank", (found.int().argmax(1) + 1).numpy(), dtype=pl.Int64)
    counts = torch.cat([train.item_counts, torch.zeros(1, dtype=torch.int64)])
    return pl.DataFrame(
        [
            ids_of(fold.vocabulary.users, users).alias(USER),
            ids_of(fold.vocabulary.items, items).alias(ITEM),
            pl.Series("popularity", counts[items.clamp(max=train.n_items)].numpy()),
            ranks.set(pl.Series(~found.any(1).numpy()), None),
        ]
    )


def ids_of(ids: pl.Series, rows: torch.Tensor) -> pl.Series:
    """Return the ids of `rows`, null for rows that the vocabulary lacks."""
    places = pl.Series(rows.numpy())
    return ids.gather(places.set(places >= len(ids), None))
