"""The gradients of losses made of log sigmoid(s), in one pass over the scores of a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twotower.core.compiled import linked
from twotower.loss.base import GRADIENT, CompiledGradient

__all__ = ["pairwise_logistic", "pointwise_logistic"]

Array = NDArray[Any]

_LOG2_E = np.float32(1.4426950408889634)
# log 2 in two parts, the first of which has few digits: its multiples are exact.
_LOG_2 = np.float32(0.693359375)
_LOG_2_REST = np.float32(-2.12194440e-4)
_LEAST = np.float32(-87)  # its exponential is the smallest that is no subnormal number
_TILE = 2048  # scores that fit in the nearest cache, with what is made of them


def pointwise_logistic(
    *, calibration: float = 0.0, negative_weight: float = 0.0
) -> CompiledGradient:
    """Return the gradient of the mean of -beta log sigmoid(s+) and -w log(1 - sigmoid(s_n)).

    Args:
        calibration: t of the loss `gbce`, on which beta depends; 0 for a beta of 1.
        negative_weight: What the weights w of a row's valid negatives add up to, and the mean is
            one over rows, divided by 1 + negative_weight; 0 for weights of 1 and a mean over all
            scores.
    """
    constants = (0.0, calibration, negative_weight)
    return CompiledGradient(_logistic_gradient, constants, reads_counts=calibration > 0)


def pairwise_logistic() -> CompiledGradient:
    """Return the gradient of the mean of -log sigmoid(s+ - s_n) over valid negatives."""
    return CompiledGradient(_logistic_gradient, (1.0, 0.0, 0.0))


@linked(GRADIENT)
def _logistic_gradient(
    positive: Array,
    negative: Array,
    counts: Array,
    log_counts: Array,
    weights: Array,
    constants: Array,
) -> float:
    pairwise, calibration, negative_weight = constants[0] != 0, constants[1], constants[2]
    rows, places = negative.shape
    valid = counts.sum()
    beta, total, n_items = 1.0, 0.0, 0.0
    if calibration > 0:
        for b in range(rows):
            for n in range(places):
                n_items += np.exp(-log_counts[b, n]) if negative[b, n] > -np.inf else 0.0
        beta = 1 - calibration * (1 - (valid / n_items if valid else 0.0))
    if pairwise:
        share = 1 / max(valid, 1)
    elif negative_weight > 0:
        share = 1 / (rows * (1 + negative_weight))
    else:
        share = 1 / (rows + valid)

    width = places + 1  # of a row: the positive, then its negatives
    group = max(1, _TILE // width)
    x = np.empty(group * width, np.float32)
    costs = np.empty(group * width, np.float32)
    for first in range(0, rows, group):
        here = min(group, rows - first)
        for r in range(here):
            b, o = first + r, r * width
            x[o] = -np.inf if pairwise else -positive[b]
            minus = positive[b] if pairwise else np.float32(0)
            for n in range(places):
                x[o + 1 + n] = negative[b, n] - minus
        for k in range(here * width):
            # Overwrite scores by sigmoid(s); costs are softplus(s) = log(1 + e^s).
            score = x[k]
            # e^y as in softmax.py, of a number up to 0.
            y = -abs(score)
            y = _LEAST if y < _LEAST else y
            power = np.floor(y * _LOG2_E + np.float32(0.5))
            rest = y - power * _LOG_2 - power * _LOG_2_REST
            e = np.float32(1 / 5040)
            e = e * rest + np.float32(1 / 720)
            e = e * rest + np.float32(1 / 120)
            e = e * rest + np.float32(1 / 24)
            e = e * rest + np.float32(1 / 6)
            e = e * rest + np.float32(1 / 2)
            e = e * rest * rest + rest + np.float32(1)
            e *= np.int32((np.int32(power) + np.int32(127)) << np.int32(23)).view(np.float32)
            e = np.float32(0) if y == _LEAST else e
            below = e / (np.float32(1) + e)  # sigmoid(-|s|)
            # log(1 + e) = 2 (z + z^3 / 3 + z^5 / 5 + ...), z = e / (2 + e) up to 1 / 3.
            z = e / (np.float32(2) + e)
            square = z * z
            series = np.float32(2 / 13)
            series = series * square + np.float32(2 / 11)
            series = series * square + np.float32(2 / 9)
            series = series * square + np.float32(2 / 7)
            series = series * square + np.float32(2 / 5)
            series = series * square + np.float32(2 / 3)
            series = series * square + np.float32(2)
            costs[k] = series * z + (score if score > 0 else np.float32(0))
            x[k] = np.float32(1) - below if score > 0 else below
        for r in range(here):
            b, o = first + r, r * width
            weight = share * (weights[b] if len(weights) else np.float32(1))
            of_negatives = negative_weight / max(counts[b], 1) if negative_weight > 0 else 1.0
            cost = np.float32(0)
            for n in range(places):
                cost += costs[o + 1 + n]
            total += weight * (beta * costs[o] + of_negatives * cost)
            scale = np.float32(weight * of_negatives)
            slope = np.float32(0)
            for n in range(places):
                negative[b, n] = scale * x[o + 1 + n]
                slope += negative[b, n]
            positive[b] = -slope if pairwise else np.float32(-weight * beta) * x[o]
    return total
