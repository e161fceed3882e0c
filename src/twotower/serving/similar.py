"""Users or items whose embeddings are near to those of some others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import polars as pl
import torch
from torch import Tensor

from twotower.core.errors import ConfigError
from twotower.model import DotProductScorer
from twotower.serving.lists import best, lists_frame
from twotower.types import Histories, Side

__all__ = ["SIMILARITIES", "Similarity", "similar"]

Similarity = Literal["cosine", "dot"]
SIMILARITIES = ("cosine", "dot")


def similar(
    table: Tensor, rows: Tensor, ids: pl.Series, side: Side, k: int, by: Any
) -> pl.DataFrame:
    """Return the `k` rows of `table` most similar to each of `rows`, itself left out.

    Args:
        table: [n, D] embeddings.
        rows: [m] int64.
        ids: The ids of the rows, the name of the series being that of the column.
        side: What they are.
        k: The length of the lists.
        by: `cosine` or `dot`.

    Returns:
        The id of a row; `similar_id`; `rank`, from 1; `score`; and `title`, if known, of the
        latter.
    """
    if by not in SIMILARITIES:
        raise ConfigError(f"by: got {by!r}; must be one of {', '.join(SIMILARITIES)}")
    if by == "cosine":
        table = torch.nn.functional.normalize(table, dim=-1)
    itself = Histories(torch.arange(len(rows) + 1), rows)
    found = best(DotProductScorer(table, table), rows, k, itself, None)
    frame = lists_frame(found, ids.gather(rows.numpy()), ids, replace(side, kind="item"))
    return frame.rename({"user_id": "of", "item_id": "similar_id"}).rename({"of": ids.name})
