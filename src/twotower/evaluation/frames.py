"""Recommendations as people read them."""

import polars as pl
import torch

from twotower.types import ITEM, USER, Recommendations, Vocabulary

__all__ = ["recommendations_frame"]


def recommendations_frame(
    recommendations: Recommendations, vocabulary: Vocabulary, items: pl.DataFrame | None
) -> pl.DataFrame:
    """One row a recommended item: `user_id`, `item_id`, `rank` (from 1), `score` (Float32).

    Ids are the original ones, users in the order of `recommendations`, best item first. `title`
    follows where `items` (one row an item, key `item_id`) has that column. Users without
    recommendations have no row.
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
