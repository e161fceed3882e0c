"""Folds and recommendations made by hand, their metrics by RePlay, and a metric of a plug-in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import polars as pl
import replay.metrics
import torch
from torch import Tensor

from twotower.evaluation import JudgedLists, UserMetric
from twotower.evaluation.lists import Values
from twotower.types import (
    Fold,
    Holdout,
    ItemLists,
    Recommendations,
    TrainInteractions,
    Vocabulary,
)

CLASSES = {
    "ndcg": "NDCG",
    "hitrate": "HitRate",
    "coverage": "Coverage",
    "recall": "Recall",
    "precision": "Precision",
    "mrr": "MRR",
    "map": "MAP",
    "novelty": "Novelty",
    "surprisal": "Surprisal",
    "auc": "RocAuc",
}
OF_TRAIN = ("coverage", "novelty", "surprisal")


def item_lists(lists: list[list[int]]) -> ItemLists:
    rows = [row for row, items in enumerate(lists) for _ in items]
    items = [item for items in lists for item in items]
    return ItemLists.from_pairs(
        torch.tensor(rows, dtype=torch.int64), torch.tensor(items, dtype=torch.int64), len(lists)
    )


def make_fold(histories: list[list[int]], n_items: int, relevant: dict[int, list[int]]) -> Fold:
    """`histories[u]` are the train items of user u; users beyond them are cold."""
    pairs = [(user, item) for user, items in enumerate(histories) for item in items]
    users, items = (torch.tensor(side, dtype=torch.int64) for side in zip(*pairs, strict=True))
    judged = sorted(relevant)
    seen = [histories[user] if user < len(histories) else [] for user in judged]
    train = TrainInteractions(users, items, len(histories), n_items)
    return Fold(
        Vocabulary(
            pl.Series("user_id", [f"u{row:03}" for row in range(len(histories))]),
            pl.Series("item_id", [100 + row for row in range(n_items)]),
        ),
        train,
        Holdout(
            torch.tensor(judged), item_lists([relevant[user] for user in judged]), item_lists(seen)
        ),
        train.histories,
    )


def recommend(lists: list[list[int]], users: Tensor, k: int) -> Recommendations:
    """Lists as given, best first, with falling scores."""
    items = torch.full((len(lists), k), -1)
    scores = torch.full((len(lists), k), -torch.inf)
    for row, row_items in enumerate(lists):
        items[row, : len(row_items)] = torch.tensor(row_items, dtype=torch.int64)
        scores[row, : len(row_items)] = -torch.arange(len(row_items), dtype=torch.float32)
    return Recommendations(users, items, scores)


def replay_values(
    recommendations: Recommendations,
    fold: Fold,
    names: list[str],
    cutoffs: list[int],
    frame: Callable[[dict[str, Tensor]], Any],
    **mode: object,
) -> dict[str, Any]:
    """What RePlay makes of the same, given in the form that `frame` makes of columns."""
    rows, places = torch.nonzero(recommendations.items >= 0, as_tuple=True)
    holdout, train = fold.holdout, fold.train
    recommended = {
        "query_id": recommendations.users[rows],
        "item_id": recommendations.items[rows, places],
        "rating": recommendations.scores[rows, places],
    }
    truth = {
        "query_id": holdout.users[holdout.relevant.rows],
        "item_id": holdout.relevant.items,
    }
    history = {"query_id": train.users, "item_id": train.items}
    values = {}
    for name in names:
        metric = getattr(replay.metrics, CLASSES[name])(
            cutoffs, **({} if name == "coverage" else mode)
        )
        other = history if name in OF_TRAIN else truth
        for key, value in metric(frame(recommended), frame(other)).items():
            values[f"{name}_at_{key.rpartition('@')[2]}"] = value
    return values


def as_dict(columns: dict[str, Tensor]) -> dict[int, list[Any]]:
    """RePlay's quick form: user -> items, or (item, score) pairs."""
    users, *rest = (column.tolist() for column in columns.values())
    grouped: dict[int, list[Any]] = {user: [] for user in sorted(set(users))}
    for user, *row in zip(users, *rest, strict=True):
        grouped[user].append(tuple(row) if len(row) > 1 else row[0])
    return grouped


def as_pandas(columns: dict[str, Tensor]) -> pd.DataFrame:
    return pd.DataFrame({name: column.numpy() for name, column in columns.items()})


def as_polars(columns: dict[str, Tensor]) -> pl.DataFrame:
    return pl.DataFrame({name: column.numpy() for name, column in columns.items()})


class HitsAbove(UserMetric):
    """As a plug-in defines a metric: whether there are more than `least` hits."""

    name = "hits_above"

    def __init__(self, least: int) -> None:
        self.least = least

    def per_user(self, lists: JudgedLists, k: int) -> Values:
        """See UserMetric."""
        values: Values = (lists.hits[:, :k].sum(1) > self.least).astype(float)
        return values
