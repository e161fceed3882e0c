"""Ages of interactions, and weights that halve with age."""

from __future__ import annotations

from torch import Tensor

__all__ = ["ages_in_days", "half_life_weights"]

_MICROSECONDS_PER_DAY = 86_400 * 1_000_000


def ages_in_days(moments: Tensor) -> Tensor:
    """Return the age of each interaction in days, counted from the newest one.

    Args:
        moments: [n] int64, microseconds since 1970 (UTC).

    Returns:
        [n] float64, 0 for the newest.
    """
    return (moments.max() - moments).double() / _MICROSECONDS_PER_DAY


def half_life_weights(ages: Tensor, half_life: float) -> Tensor:
    """Return the weight 2^(-age / half_life) of each interaction.

    Args:
        ages: [n] float64, in days.
        half_life: Days after which an interaction weighs half as much.

    Returns:
        [n] float64 in (0, 1].

    Example:
        >>> import torch
        >>> half_life_weights(torch.tensor([0.0, 3.0, 6.0]), half_life=3.0)
        tensor([1.0000, 0.5000, 0.2500])
    """
    return (-ages / half_life).exp2()
