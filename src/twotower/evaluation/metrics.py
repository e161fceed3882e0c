"""The metrics that `evaluation.metrics` knows by name.

Those that RePlay has equal it to the last bit, down to the order in which they add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from twotower.evaluation.accuracy import (
    AUC,
    MAP,
    MRR,
    NDCG,
    HitRate,
    Precision,
    Recall,
    RPrecision,
)
from twotower.evaluation.beyond_accuracy import (
    IntraListDiversity,
    Novelty,
    Serendipity,
    Surprisal,
)
from twotower.evaluation.exposure import Coverage, Entropy, Gini
from twotower.evaluation.metric import Metric
from twotower.evaluation.popularity_bias import PopularityMiscalibration, TailShare

__all__ = ["DEFINITION", "METRICS", "KnownMetric", "measured_by"]


# Increment when the same lists, or the same scores, give different values than before: runs with
# different numbers are not compared.
DEFINITION = 1

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        *(NDCG(), HitRate(), Coverage(), Recall(), Precision(), MRR(), MAP()),
        *(Novelty(), Surprisal(), AUC(), RPrecision(), Serendipity(), IntraListDiversity()),
        *(TailShare(), PopularityMiscalibration(), Gini(), Entropy()),
    )
}


def measured_by(entries: Sequence[str | Metric]) -> dict[str, Metric]:
    """Return the metrics of `evaluation.metrics` by name, each once."""
    metrics = [METRICS[entry] if isinstance(entry, str) else entry for entry in entries]
    return {metric.name: metric for metric in metrics}


def _known(name: str) -> str:
    if name in METRICS:
        return name
    close = get_close_matches(name, METRICS, n=1)
    raise PydanticCustomError(
        "metric",
        "no metric {name}; must be one of {valid}{hint}",
        {
            "name": repr(name),
            "valid": ", ".join(METRICS),
            "hint": f"; did you mean {close[0]!r}?" if close else "",
        },
    )


KnownMetric = Annotated[str, AfterValidator(_known)]
