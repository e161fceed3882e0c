"""Stochastic gradient descent on the rows of a batch, with the result of its dense form."""

from __future__ import annotations

import numpy as np
import torch
from torch.optim import Optimizer

from twotower.core.compiled import linked
from twotower.training.fused.deferred import Deferred
from twotower.training.fused.row_updates import CATCH_UP, UPDATE, Array, RowState, RowUpdates

__all__ = ["SgdRows"]


@linked(CATCH_UP)
def _catch_up(
    weight: Array,
    buffer: Array,
    second: Array,
    last_used: Array,
    rows: Array,
    now: int,
    sums: Array,
    means: Array,
    shrunk: Array,
) -> None:
    if len(buffer) == 0:
        return
    for r in range(len(rows)):
        row = rows[r]
        if last_used[row] < now:
            rate = np.float32(sums[last_used[row]])
            for d in range(weight.shape[1]):
                weight[row, d] -= rate * buffer[row, d]


@linked(UPDATE)
def _update(
    weight: Array,
    buffer: Array,
    second: Array,
    last_used: Array,
    rows: Array,
    gradient: Array,
    step: int,
    fade1: Array,
    fade2: Array,
    constants: Array,
) -> None:
    of_momentum, of_gradient = np.float32(constants[0]), np.float32(constants[1])
    if len(buffer) == 0:
        for r in range(len(rows)):
            for d in range(weight.shape[1]):
                weight[rows[r], d] -= of_gradient * gradient[r, d]
        return
    for r in range(len(rows)):
        row = rows[r]
        kept = fade1[step - last_used[row]]
        last_used[row] = step
        for d in range(weight.shape[1]):
            g = gradient[r, d]
            m = kept * buffer[row, d] + g
            buffer[row, d] = m
            weight[row, d] -= of_momentum * m + of_gradient * g


class SgdRows(RowUpdates):
    """With momentum, Nesterov's or none; see RowUpdates.

    A row without a gradient moves by lr_t mu^k times its momentum in the k-th step after its last
    use. `catch_up` adds these up at once.
    """

    catch_up_rows = _catch_up
    update_rows = _update

    def __init__(self, optimizer: Optimizer) -> None:
        (group,) = optimizer.param_groups
        self._momentum, self._nesterov = group["momentum"], group["nesterov"]
        nothing = np.empty((0, 0), np.float32)
        tables = []
        for parameter in group["params"]:
            state = optimizer.state[parameter]
            if self._momentum and state.get("momentum_buffer") is None:
                state["momentum_buffer"] = torch.zeros_like(parameter)
            buffer = state["momentum_buffer"].numpy() if self._momentum else nothing
            last_used = np.zeros(len(buffer), np.int64)
            tables.append(RowState(parameter.detach().numpy(), buffer, nothing, last_used))
        super().__init__(tables, [], Deferred(self._momentum, 1.0), (self._momentum, 1.0))

    def constants(self, step: int, rate: float) -> tuple[float, float, float, float, float]:
        """See RowUpdates."""
        mu = self._momentum
        if not mu:
            return 0.0, rate, 0.0, 0.0, 1.0
        if self._nesterov:
            return rate * mu, rate, rate * mu, 0.0, 1.0
        return rate, 0.0, rate, 0.0, 1.0
