"""Settings of a run that do not fit together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from twotower.config.targets import Targets
from twotower.evaluation.metric import UserMetric
from twotower.evaluation.metrics import METRICS
from twotower.loss import weight_error
from twotower.types.metric_name import MetricName

__all__ = ["conflicts"]

_BY_VALIDATION = "ReduceLROnPlateau"


def conflicts(config: Mapping[str, Any], _path: str) -> Iterator[str]:
    """Yield what does not fit together in a train config, which may have other errors as well."""
    split, trainer = config.get("split"), config.get("trainer")
    evaluation = config.get("evaluation")
    yield from _metric_conflicts(config.get("comparison"), evaluation)
    yield from _weight_conflicts(config.get("dataset"), config.get("loss"))
    if not (isinstance(split, Mapping) and isinstance(trainer, Mapping)):
        return
    if split.get("validation") is not False:
        return
    for key, off in (("patience", "null"), ("refit", "false")):
        value = trainer.get(key)
        if value:
            yield (
                f"trainer.{key}: got {value}, which needs a validation part, but "
                f"split.validation=false cuts none; must be {off}"
            )
    scheduler = trainer.get("scheduler")
    if isinstance(scheduler, Mapping) and str(scheduler.get("_target_")).endswith(_BY_VALIDATION):
        yield (
            "trainer.scheduler: got ReduceLROnPlateau, which needs a validation part, but "
            "split.validation=false cuts none; must be another one, such as step"
        )
    if isinstance(evaluation, Mapping) and evaluation.get("test") == "never":
        yield (
            "evaluation.test: got never, but split.validation=false cuts no validation part "
            "either, so nothing would be measured; must be one of best, all"
        )


def _metric_conflicts(comparison: Any, evaluation: Any) -> Iterator[str]:
    """Yield an error if settings are to be compared by a metric without values per user."""
    if not (isinstance(comparison, Mapping) and isinstance(evaluation, Mapping)):
        return
    metric, k, names = comparison.get("metric"), evaluation.get("k"), evaluation.get("metrics")
    if metric is None or not isinstance(k, int | list) or not isinstance(names, list):
        return
    by_user = [
        metric.name
        for metric in map(_class_of, names)
        if issubclass(metric, UserMetric) and metric.higher_is_better
    ]
    depths = [k] if isinstance(k, int) else k
    valid = [str(MetricName(name, depth)) for name in by_user for depth in depths]
    if metric not in valid:
        yield (
            f"comparison.metric: got {metric!r}, which is not measured per user "
            "(evaluation.metrics, evaluation.k); must be null or one of "
            f"{', '.join(valid) or 'none'}"
        )


def _weight_conflicts(dataset: Any, loss: Any) -> Iterator[str]:
    """Yield an error if interactions have weights that the loss does not apply."""
    columns = dataset.get("columns") if isinstance(dataset, Mapping) else None
    if isinstance(columns, Mapping) and columns.get("weight") is not None:
        target = _class_of(loss)
        if target is not object and (error := weight_error(target)):
            yield str(error)


def _class_of(node: Any) -> Any:
    """Return the class of a node, or of a metric's name; `object` if the node has an error."""
    if isinstance(node, str):
        return type(METRICS.get(node))
    try:
        found = Targets().locate(node["_target_"])
    except Exception:  # an import may fail in any way; the check of the node reports it
        return object
    return found if isinstance(found, type) else object
