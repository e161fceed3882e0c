"""Warn if a holdout judges too few users to distinguish models."""

from __future__ import annotations

from twotower.evaluation.evaluation import Measured
from twotower.types.metric_name import MetricName

__all__ = ["few_users_note"]

# With fewer users than this the interval is uncertain itself: it takes means over users as normally
# distributed, and the values of most users are 0.
FEW_USERS = 100
# Half of an interval as a share of the metric, above which it is wide: a model a quarter better or
# worse is then hardly shown to differ.
WIDE = 0.25


def few_users_note(
    measured: Measured, metric: str, *, part: str, n_users: int, advice: str
) -> str | None:
    """Return a sentence if `part` judges too few users to distinguish models, else None.

    Args:
        measured: Metrics of a model on the part.
        metric: Name of the metric that models are compared by.
        part: `validation` or `test`.
        n_users: Number of users in the log that was split.
        advice: What judges more users.
    """
    judged = measured.per_user.height
    low, high = measured.intervals.get(metric, (0.0, 0.0))
    half, value = (high - low) / 2, measured.values[metric]
    if judged >= FEW_USERS and half <= WIDE * value:
        return None
    text = f"{part} judges {judged:,} of {n_users:,} users"
    if half and value:
        text += (
            f": {MetricName.parse(metric).title} {measured.text(metric)} is an interval of "
            f"±{half / value:.0%}, too wide to distinguish models that differ by less"
        )
    return f"{text}; {advice}"
