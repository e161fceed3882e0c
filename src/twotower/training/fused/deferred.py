"""What momentum adds to a row in the steps that do not use it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twotower.core.compiled import linked

__all__ = ["Deferred", "advance"]

_FADED = 1e-9  # share of a momentum that counts as nothing


class Deferred:
    """Sums over the steps since a row was last used, for each step in which that may have been.

    In a step t with learning rate a_t, a row used last in step l moves by a_t r^(t - l) times the
    same vector: its momentum at l, over the root of its second moment for Adam. Decoupled weight
    decay multiplies weights by a factor in each step; S_t is the product of the first t factors. So

        w_t = S_t (w_l / S_l - vector * sum_{l < s <= t} a_s r^(s - l) / S_s).

    Steps are counted from 1 in each epoch, after which all rows have caught up.

    Attributes:
        now: Steps of the epoch so far.
        sums: [steps + 1] float64, of entry l the sum above for t = `now`.
        means: [steps + 1] float64, the mean of a second quantity with the same weights, times the
            sum: for Adam's eps.
        shrunk: [steps + 1] float64, S.
        weights: What a momentum and the second quantity have become, by age, the oldest first.
    """

    def __init__(self, ratio: float, drift: float) -> None:
        """Prepare for an optimizer.

        Args:
            ratio: r, by which a momentum fades in each step.
            drift: By which the second quantity of a row grows in each step.
        """
        reach = math.ceil(math.log(_FADED) / math.log(ratio)) if ratio > 0 else 1
        ages = np.arange(reach, 0, -1)  # of a momentum, oldest first
        self.weights = np.power(float(ratio), ages), np.power(drift, ages)
        self.start_epoch(0)

    def start_epoch(self, steps: int) -> None:
        """Begin to count from 0, for at most `steps` steps."""
        self.now = 0
        self.sums: NDArray[Any] = np.zeros(steps + 1)
        self.means: NDArray[Any] = np.zeros(steps + 1)
        self.shrunk: NDArray[Any] = np.ones(steps + 1)

    def step(self, rate: float, second: float = 0.0, factor: float = 1.0) -> None:
        """Add a step.

        Args:
            rate: a_t.
            second: The second quantity in this step, for a row used in it.
            factor: By which weight decay multiplies the weights in it.
        """
        self.now += 1
        constants = np.array([0.0, 0.0, rate, second, factor])
        advance(self.now, self.sums, self.means, self.shrunk, *self.weights, constants)


_ARRAY = "float64[::1]"


@linked(f"void(int64, {', '.join(6 * [_ARRAY])})")
def advance(
    now: int,
    sums: NDArray[Any],
    means: NDArray[Any],
    shrunk: NDArray[Any],
    weights: NDArray[Any],
    drifts: NDArray[Any],
    constants: NDArray[Any],
) -> None:
    """Add step `now`, whose arguments of `Deferred.step` are the last three of five constants."""
    rate, second, factor = constants[2], constants[3], constants[4]
    shrunk[now] = shrunk[now - 1] * factor
    if rate == 0:
        return
    reach = min(now, len(weights))
    share = rate / shrunk[now]
    for k in range(reach):
        added = weights[len(weights) - reach + k] * share
        sums[now - reach + k] += added
        means[now - reach + k] += added * drifts[len(weights) - reach + k] * second
