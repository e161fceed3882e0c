"""The name of a metric, as it is logged, and which metrics a table shows."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

__all__ = ["DEFAULT", "MetricName", "headline_metrics", "shown_metrics"]

_HEADLINE = ("ndcg", "hitrate", "coverage")

# The list of conf/evaluation/default.yaml. A config that keeps all of it has not chosen any, and
# tables show the headline metrics.
DEFAULT = frozenset(
    ["ndcg", "hitrate", "coverage", "recall", "precision", "mrr", "map", "surprisal"]
)

_TITLES = {
    "ndcg": "NDCG",
    "hitrate": "HitRate",
    "mrr": "MRR",
    "map": "MAP",
    "auc": "AUC",
    "r_precision": "R-precision",
    "intra_list_diversity": "Intra-list diversity",
    "val/loss": "Validation loss",
    "train/loss": "Train loss",
    "train/seconds": "Train seconds",
    "train/positives_per_second": "Positives per second",
    "train/lr": "Learning rate",
    "validation/seconds": "Validation seconds",
    "validation/share": "Share of validation",
    "memory/peak_gib": "Peak memory, GiB",
    "memory/gpu_peak_gib": "Peak GPU memory, GiB",
    "model/parameters": "Parameters",
    "model/best_epoch": "Best epoch",
}
_AT_K = re.compile(r"(?P<metric>.+)_at_(?P<k>[1-9]\d*)")


@dataclass(frozen=True)
class MetricName:
    """The name of a metric; `str` renders it as it is logged.

    Attributes:
        metric: `ndcg`, `loss`, `parameters`.
        k: The length of the lists; None for a metric without one.
        part: What it was measured on: `val`, `test`, `baseline`, `train`, `model`; None for a bare
            name such as `ndcg_at_10`.
        model: The baseline, or the fit, that it belongs to; None for the model of the run.

    >>> name = MetricName.parse("baseline/item_knn/ndcg_at_10")
    >>> name.part, name.model, name.metric, name.k
    ('baseline', 'item_knn', 'ndcg', 10)
    >>> name.title, name.bare, str(name.on("test"))
    ('NDCG@10', 'ndcg_at_10', 'test/ndcg_at_10')
    """

    metric: str
    k: int | None = None
    part: str | None = None
    model: str | None = None

    @classmethod
    def parse(cls, name: str) -> MetricName:
        """Return the parts of a logged name. Any text is a name, and `str` renders it unchanged."""
        *where, last = name.split("/")
        at_k = _AT_K.fullmatch(last)
        return cls(
            metric=at_k["metric"] if at_k else last,
            k=int(at_k["k"]) if at_k else None,
            part=where[0] if where else None,
            model="/".join(where[1:]) if len(where) > 1 else None,
        )

    def on(self, part: str, model: str | None = None) -> MetricName:
        """Return the same metric on another part, of the run's own model unless `model` is given.

        >>> str(MetricName("ndcg", 10).on("val"))
        'val/ndcg_at_10'
        """
        return MetricName(self.metric, self.k, part, model)

    @property
    def bare(self) -> str:
        """`ndcg_at_10`: the metric and its K, without part and model."""
        return self.metric if self.k is None else f"{self.metric}_at_{self.k}"

    @property
    def title(self) -> str:
        """`NDCG@10` on any part; `Parameters` for `model/parameters`."""
        if str(self) in _TITLES:
            return _TITLES[str(self)]
        title = _TITLES.get(self.metric, self.metric.replace("_", " ").capitalize())
        return title if self.k is None else f"{title}@{self.k}"

    def __str__(self) -> str:
        """Return the name as it is logged, such as `test/ndcg_at_10`."""
        return "/".join(text for text in (self.part, self.model, self.bare) if text is not None)


def headline_metrics(known: Collection[str], monitor: str) -> list[str]:
    """Return those of NDCG, HitRate and Coverage at the K of `monitor` that are in `known`.

    The names have the part and model of `monitor`, such as `ndcg_at_10` or `val/ndcg_at_10`.
    """
    watched = MetricName.parse(monitor)
    names = [
        str(MetricName(metric, watched.k, watched.part, watched.model)) for metric in _HEADLINE
    ]
    return [name for name in names if name in known]


def shown_metrics(known: Collection[str], monitor: str) -> list[str]:
    """Return the metrics of `known` that a table shows, `monitor` first, each at every K.

    The names have the part and model of `monitor`. Where all of the default list were measured,
    NDCG, HitRate, Coverage and the monitor are shown.
    """
    watched = MetricName.parse(monitor)
    parsed = {name: MetricName.parse(name) for name in known}
    of_part = {
        name: p.metric
        for name, p in parsed.items()
        if p.k is not None and (p.part, p.model) == (watched.part, watched.model)
    }
    names = list(of_part)
    if set(of_part.values()) >= DEFAULT:
        names = [name for name in names if of_part[name] in _HEADLINE or name == monitor]
    return sorted(names, key=lambda name: name != monitor)
