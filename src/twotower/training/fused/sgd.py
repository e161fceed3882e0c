"""Stochastic gradient descent on the rows of a batch, with the result of its dense form."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.optim import Optimizer

from twotower.core.compiled import compiled
from twotower.training.fused.deferred import Deferred

__all__ = ["SgdRows"]

Array = NDArray[Any]


class SgdRows:
    """With momentum, Nesterov's or none; see RowOptimizer.

    A row without a gradient moves by lr_t mu^k times its momentum in the k-th step after its last
    use. `catch_up` adds these up at once.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        (group,) = optimizer.param_groups
        self._momentum, self._nesterov = group["momentum"], group["nesterov"]
        self._deferred = Deferred(self._momentum, 1.0)
        self._tables: list[tuple[Array, Array, Array]] = []
        for parameter in group["params"]:
            state = optimizer.state[parameter]
            if self._momentum and state.get("momentum_buffer") is None:
                state["momentum_buffer"] = torch.zeros_like(parameter)
            buffer = state["momentum_buffer"] if self._momentum else parameter.new_empty((0, 0))
            last_used = np.zeros(len(parameter) if self._momentum else 0, np.int64)
            self._tables.append((parameter.detach().numpy(), buffer.numpy(), last_used))

    def start_epoch(self, steps: int) -> None:
        """See RowOptimizer."""
        self._deferred.start_epoch(steps)
        self._fade = (self._momentum ** np.arange(steps + 1)).astype(np.float32)

    def catch_up(self, table: int, rows: Array) -> None:
        """See RowOptimizer."""
        if self._momentum:
            _catch_up(*self._tables[table], rows, self._deferred.now, self._deferred.sums)

    def start_step(self, rate: float) -> None:
        """See RowOptimizer."""
        self._rate = rate

    def update(self, table: int, rows: Array, gradient: Array) -> None:
        """See RowOptimizer."""
        weight, buffer, last_used = self._tables[table]
        if not self._momentum:
            _plain(weight, rows, gradient, self._rate)
            return
        mu, step = self._momentum, self._deferred.now + 1
        # The share of the new momentum and that of the gradient itself in the step.
        rates = [self._rate * mu, self._rate] if self._nesterov else [self._rate, 0.0]
        shares = np.array(rates, np.float32)
        _update(weight, buffer, last_used, rows, gradient, step, self._fade, shares)

    def finish_step(self) -> None:
        """See RowOptimizer."""
        self._deferred.step(self._rate * (self._momentum if self._nesterov else 1.0))

    def finish_epoch(self) -> None:
        """See RowOptimizer."""
        for table, (_, buffer, last_used) in enumerate(self._tables):
            self.catch_up(table, np.arange(len(last_used)))
            if self._momentum:
                _fade_all(buffer, last_used, self._deferred.now, self._fade)
        self.start_epoch(0)


@compiled
def _catch_up(
    weight: Array, buffer: Array, last_used: Array, rows: Array, now: int, sums: Array
) -> None:
    for r in range(len(rows)):
        row = rows[r]
        if last_used[row] < now:
            rate = np.float32(sums[last_used[row]])
            for d in range(weight.shape[1]):
                weight[row, d] -= rate * buffer[row, d]


@compiled
def _update(
    weight: Array,
    buffer: Array,
    last_used: Array,
    rows: Array,
    gradient: Array,
    step: int,
    fade: Array,
    shares: Array,
) -> None:
    of_momentum, of_gradient = shares[0], shares[1]
    for r in range(len(rows)):
        row = rows[r]
        kept = fade[step - last_used[row]]
        last_used[row] = step
        for d in range(weight.shape[1]):
            g = gradient[r, d]
            m = kept * buffer[row, d] + g
            buffer[row, d] = m
            weight[row, d] -= of_momentum * m + of_gradient * g


@compiled
def _plain(weight: Array, rows: Array, gradient: Array, rate: float) -> None:
    for r in range(len(rows)):
        for d in range(weight.shape[1]):
            weight[rows[r], d] -= np.float32(rate) * gradient[r, d]


@compiled
def _fade_all(buffer: Array, last_used: Array, now: int, fade: Array) -> None:
    """Bring the momenta of all rows to the end of step `now`, which becomes step 0."""
    for row in range(len(last_used)):
        age = now - last_used[row]
        last_used[row] = 0
        for d in range(buffer.shape[1]):
            buffer[row, d] *= fade[age]
