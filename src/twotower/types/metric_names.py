"""How metrics are called where people read them."""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["DEFAULT", "looked_at_first", "metric_title", "shown_metrics"]

_FIRST = ("ndcg", "hitrate", "coverage")

# The list of conf/evaluation/default.yaml: whoever measures all of these has not said which matter.
DEFAULT = frozenset(
    ["ndcg", "hitrate", "coverage", "recall", "precision", "mrr", "map", "surprisal"]
)

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


def shown_metrics(known: Collection[str], monitor: str) -> list[str]:
    """What tables show of the metrics `known`, `monitor` first: each at every K.

    Where all of the default list were measured, they are NDCG, HitRate, Coverage and the monitor.
    Names as `monitor` has them, such as `ndcg_at_10` or `val/ndcg_at_10`.
    """
    part = monitor.rpartition("/")[0]
    names = [name for name in known if "_at_" in name and name.rpartition("/")[0] == part]
    metric_of = {name: name.rpartition("/")[2].partition("_at_")[0] for name in names}
    if set(metric_of.values()) >= DEFAULT:
        names = [name for name in names if metric_of[name] in _FIRST or name == monitor]
    return sorted(names, key=lambda name: name != monitor)


def metric_title(name: str) -> str:
    """`NDCG@10` for `val/ndcg_at_10` and for `ndcg_at_10`; `Parameters` for `model/parameters`."""
    if name in _TITLES:
        return _TITLES[name]
    metric, _, k = name.rpartition("/")[2].partition("_at_")
    title = _TITLES.get(metric, metric.replace("_", " ").capitalize())
    return f"{title}@{k}" if k else title
