"""How metrics are called where people read them."""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["looked_at_first", "metric_title"]

_FIRST = ("ndcg", "hitrate", "coverage")

_TITLES = {
    "ndcg": "NDCG",
    "hitrate": "HitRate",
    "mrr": "MRR",
    "map": "MAP",
    "val/loss": "Validation loss",
    "train/loss": "Train loss",
    "train/seconds": "Train seconds",
    "model/parameters": "Parameters",
    "model/best_epoch": "Best epoch",
}


def looked_at_first(known: Collection[str], monitor: str) -> list[str]:
    """Of the metrics `known`, NDCG, HitRate and Coverage at the K of `monitor`.

    Names as `monitor` has them, such as `ndcg_at_10` or `val/ndcg_at_10`.
    """
    part, slash, metric = monitor.rpartition("/")
    k = metric.rpartition("_at_")[2]
    names = [f"{part}{slash}{first}_at_{k}" for first in _FIRST]
    return [name for name in names if name in known]


def metric_title(name: str) -> str:
    """`NDCG@10` for `val/ndcg_at_10` and for `ndcg_at_10`; `Parameters` for `model/parameters`."""
    if name in _TITLES:
        return _TITLES[name]
    metric, _, k = name.rpartition("/")[2].partition("_at_")
    title = _TITLES.get(metric, metric.replace("_", " ").capitalize())
    return f"{title}@{k}" if k else title
