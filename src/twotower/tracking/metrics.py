"""Metric values on their way to MLflow: names checked, infinities kept honest."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from twotower.core.errors import ConfigError

_NAME = re.compile(r"[\w.: -]+(?:/[\w.: -]+)*")
_MAX_NAME = 250


def check_metric_name(name: str) -> None:
    """Raise `ConfigError` for a name that MLflow refuses."""
    if not _NAME.fullmatch(name) or len(name) > _MAX_NAME:
        raise ConfigError(
            f"Metric name {name!r} cannot be tracked: MLflow takes letters, digits and _ - . : "
            f"with / between the parts, {_MAX_NAME} characters at most. "
            "Write 'test/ndcg_at_10', not 'test/ndcg@10'."
        )


def storable(values: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """All `values` as MLflow can hold them, and those among them that are infinite.

    MLflow would store an infinity as 1.8e308, a number that no chart survives, so it becomes NaN,
    which is kept as such; the caller notes what it was.
    """
    floats = {name: float(value) for name, value in values.items()}
    infinite = {name: value for name, value in floats.items() if math.isinf(value)}
    return {**floats, **dict.fromkeys(infinite, math.nan)}, infinite
