"""torch's SparseAdam on the rows of a batch."""

from __future__ import annotations

import math

import numpy as np
from torch.optim import Optimizer

from twotower.core.compiled import linked
from twotower.training.fused.adam import moments_of
from twotower.training.fused.deferred import Deferred
from twotower.training.fused.row_updates import UPDATE, Array, RowUpdates, no_row_lags

__all__ = ["SparseAdamRows"]


@linked(UPDATE)
def _update(
    weight: Array,
    first: Array,
    second: Array,
    last_used: Array,
    rows: Array,
    gradient: Array,
    step: int,
    fade1: Array,
    fade2: Array,
    constants: Array,
) -> None:
    rest1, rest2 = np.float32(constants[0]), np.float32(constants[1])
    rate, eps = np.float32(constants[2]), np.float32(constants[3])
    for r in range(len(rows)):
        row = rows[r]
        for d in range(weight.shape[1]):
            g = gradient[r, d]
            m = first[row, d] + rest1 * (g - first[row, d])
            v = second[row, d] + rest2 * (g * g - second[row, d])
            first[row, d] = m
            second[row, d] = v
            weight[row, d] -= rate * m / (np.sqrt(v) + eps)


class SparseAdamRows(RowUpdates):
    """Adam that ignores the rows without a gradient: their moments do not fade, they do not move.

    Another algorithm than Adam: a row that every tenth step uses moves a tenth as far after each.
    """

    catch_up_rows = no_row_lags
    update_rows = _update

    def __init__(self, optimizer: Optimizer) -> None:
        (self._group,) = optimizer.param_groups
        self._b1, self._b2 = self._group["betas"]
        tables = [each._replace(last_used=np.empty(0, np.int64)) for each in moments_of(optimizer)]
        states = [optimizer.state[each] for each in self._group["params"]]
        super().__init__(tables, states, Deferred(0.0, 1.0), (1.0, 1.0))

    def constants(self, step: int, rate: float) -> tuple[float, float, float, float, float]:
        """See RowUpdates."""
        corrected = rate * math.sqrt(1 - self._b2**step) / (1 - self._b1**step)
        return 1 - self._b1, 1 - self._b2, corrected, self._group["eps"], 1.0
