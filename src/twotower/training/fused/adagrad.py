"""Adagrad on the rows of a batch: a row without a gradient does not change in any case."""

from __future__ import annotations

import numpy as np
from torch.optim import Optimizer

from twotower.core.compiled import linked
from twotower.training.fused.deferred import Deferred
from twotower.training.fused.row_updates import UPDATE, Array, RowState, RowUpdates, no_row_lags

__all__ = ["AdagradRows"]


@linked(UPDATE)
def _update(
    weight: Array,
    squares: Array,
    second: Array,
    last_used: Array,
    rows: Array,
    gradient: Array,
    step: int,
    fade1: Array,
    fade2: Array,
    constants: Array,
) -> None:
    rate, eps = np.float32(constants[0]), np.float32(constants[1])
    for r in range(len(rows)):
        row = rows[r]
        for d in range(weight.shape[1]):
            g = gradient[r, d]
            squares[row, d] += g * g
            weight[row, d] -= rate * g / (np.sqrt(squares[row, d]) + eps)


class AdagradRows(RowUpdates):
    """Duchi et al. 2011; see RowUpdates."""

    catch_up_rows = no_row_lags
    update_rows = _update

    def __init__(self, optimizer: Optimizer) -> None:
        (self._group,) = optimizer.param_groups
        states = [optimizer.state[each] for each in self._group["params"]]
        nothing, never = np.empty((0, 0), np.float32), np.empty(0, np.int64)
        tables = [
            RowState(parameter.detach().numpy(), state["sum"].numpy(), nothing, never)
            for parameter, state in zip(self._group["params"], states, strict=True)
        ]
        super().__init__(tables, states, Deferred(0.0, 1.0), (1.0, 1.0))

    def constants(self, step: int, rate: float) -> tuple[float, float, float, float, float]:
        """See RowUpdates."""
        decayed = rate / (1 + (step - 1) * self._group["lr_decay"])
        return decayed, self._group["eps"], 0.0, 0.0, 1.0
