"""The logistic function of scores and the log of its complement, in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twotower.core.compiled import compiled

__all__ = ["logistic_"]

Array = NDArray[Any]

_LOG2_E = np.float32(1.4426950408889634)
# log 2 in two parts, the first of which has few digits: its multiples are exact.
_LOG_2 = np.float32(0.693359375)
_LOG_2_REST = np.float32(-2.12194440e-4)
_LEAST = np.float32(-87)  # its exponential is the smallest that is no subnormal number
_FACTORS = 32  # of a product, each at most 2


def logistic_(scores: Tensor) -> Tensor:
    """Return the sum of softplus(s) = log(1 + e^s) of each row; overwrite scores by sigmoid(s).

    Args:
        scores: [B, N] float32, contiguous; -inf adds 0 and becomes 0.

    Returns:
        [B].
    """
    sums = torch.empty(len(scores))
    _logistic(scores.numpy(), sums.numpy())
    return sums


@compiled
def _logistic(scores: Array, sums: Array) -> None:
    rows, places = scores.shape
    for b in range(rows):
        total = np.float32(0)
        for start in range(0, places, _FACTORS):
            # log(1 + e^s) = max(s, 0) + log(1 + e^-|s|), and one log of the product serves all.
            product = np.float32(1)
            for n in range(start, min(start + _FACTORS, places)):
                score = scores[b, n]
                # e^x as in softmax.py, of a number up to 0.
                x = -abs(score)
                x = _LEAST if x < _LEAST else x
                k = np.floor(x * _LOG2_E + np.float32(0.5))
                r = x - k * _LOG_2 - k * _LOG_2_REST
                e = np.float32(1 / 5040)
                e = e * r + np.float32(1 / 720)
                e = e * r + np.float32(1 / 120)
                e = e * r + np.float32(1 / 24)
                e = e * r + np.float32(1 / 6)
                e = e * r + np.float32(1 / 2)
                e = e * r * r + r + np.float32(1)
                e *= np.int32((np.int32(k) + np.int32(127)) << np.int32(23)).view(np.float32)
                e = np.float32(0) if x == _LEAST else e
                below = e / (np.float32(1) + e)  # sigmoid(-|s|)
                product *= np.float32(1) + e
                total += score if score > 0 else np.float32(0)
                scores[b, n] = np.float32(1) - below if score > 0 else below
            total += np.log(product)
        sums[b] = total
