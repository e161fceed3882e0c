"""The softmax of each row of a batch, in one pass over its scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from twotower.core.compiled import compiled

__all__ = ["softmax_"]

Array = NDArray[Any]

_LOG2_E = np.float32(1.4426950408889634)
# log 2 in two parts, the first of which has few digits: its multiples are exact.
_LOG_2 = np.float32(0.693359375)
_LOG_2_REST = np.float32(-2.12194440e-4)
_LEAST = np.float32(-87)  # its exponential is the smallest that is no subnormal number
_MASKED = np.float32(-np.inf)


def softmax_(
    scores: Tensor,
    temperature: float,
    *,
    shift: Tensor | None = None,
    beside: Tensor | None = None,
    factor: Tensor,
) -> Tensor:
    """Return the log-sum-exp of each row's logits; overwrite the scores by the softmax, scaled.

    Args:
        scores: [B, N] float32, contiguous; -inf for negatives that are not valid, which get 0.
        temperature: By which scores are divided.
        shift: [N] or [B, N], subtracted from each logit; None for 0.
        beside: [B], one more logit of each row, which takes part in the softmax but not in the
            returned sum; None for none.
        factor: [B], by which each row's softmax is multiplied.

    Returns:
        [B]; -inf for a row without valid negatives.
    """
    rows, places = scores.shape
    shifts = torch.empty(0, places) if shift is None else shift.float().view(-1, places)
    if beside is None:
        beside = torch.full((rows,), -torch.inf)
    sums = torch.empty(rows)
    arrays = (scores, shifts.contiguous(), beside, factor.float().contiguous(), sums)
    _softmax(np.float32(1 / temperature), *(each.numpy() for each in arrays))
    return sums


@compiled
def _softmax(
    inverse: Any, scores: Array, shift: Array, beside: Array, factor: Array, sums: Array
) -> None:
    rows, places = scores.shape
    for b in range(rows):
        row = scores[b]
        if len(shift):
            shifted = shift[b] if len(shift) == rows else shift[0]
            for n in range(places):
                row[n] = row[n] * inverse - shifted[n]
        else:
            for n in range(places):
                row[n] = row[n] * inverse
        top = _MASKED
        for n in range(places):
            top = max(top, row[n])
        if top == _MASKED:
            sums[b] = top
            for n in range(places):
                row[n] = 0
            continue
        total = np.float32(0)
        for n in range(places):
            # e^x = 2^k e^r with |r| <= log(2) / 2, whose series is a polynomial: unlike a call of
            # exp, it is computed for several numbers at once. 2^k is k in a float's exponent.
            x = row[n] - top
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
            e = np.float32(0) if row[n] == _MASKED else e
            row[n] = e
            total += e
        sums[b] = top + np.log(total)
        share = factor[b] / (total + np.exp(beside[b] - top))
        for n in range(places):
            row[n] *= share
