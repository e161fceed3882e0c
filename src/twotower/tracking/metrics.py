"""Metrics as MLflow can store them: names are checked, infinities become NaN."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from twotower.core.errors import ConfigError

_NAME = re.compile(r"[\w.: -]+(?:/[\w.: -]+)*")
_MAX_NAME = 250


def check_metric_name(name: str) -> None:
    """Raise ConfigError for a name that MLflow refuses."""
    if not _NAME.fullmatch(name) or len(name) > _MAX_NAME:
        raise ConfigError(
            f"Metric name {name!r} cannot be tracked: MLflow accepts letters, digits and _ - . : "
            f"with / between the parts, at most {_MAX_NAME} characters. "
            "Write 'test/ndcg_at_10', not 'test/ndcg@10'."
        )


def storable(values: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """Return all `values` as MLflow can store them, and the infinite ones among them.

    MLflow would store an infinity as 1.8e308, which breaks every chart. It becomes NaN instead, and
    the caller logs what it was.
    """
    floats = {name: float(value) for name, value in values.items()}
    infinite = {name: value for name, value in floats.items() if math.isinf(value)}
    return {**floats, **dict.fromkeys(infinite, math.nan)}, infinite
