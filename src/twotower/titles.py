"""How metrics are called where people read them."""

from __future__ import annotations

__all__ = ["metric_title"]

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


def metric_title(name: str) -> str:
    """`NDCG@10` for `val/ndcg_at_10` and for `ndcg_at_10`; `Parameters` for `model/parameters`."""
    if name in _TITLES:
        return _TITLES[name]
    metric, _, k = name.rpartition("/")[2].partition("_at_")
    title = _TITLES.get(metric, metric.replace("_", " ").capitalize())
    return f"{title}@{k}" if k else title
