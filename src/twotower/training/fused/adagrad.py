"""Adagrad on the rows of a batch: a row without a gradient does not change in any case."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.optim import Optimizer

from twotower.core.compiled import compiled

__all__ = ["AdagradRows"]

Array = NDArray[Any]


class AdagradRows:
    """Duchi et al. 2011; see RowOptimizer."""

    def __init__(self, optimizer: Optimizer) -> None:
        (self._group,) = optimizer.param_groups
        self._state = [optimizer.state[each] for each in self._group["params"]]
        self._tables = [
            (parameter.detach().numpy(), state["sum"].numpy())
            for parameter, state in zip(self._group["params"], self._state, strict=True)
        ]

    def start_epoch(self, steps: int) -> None:
        """See RowOptimizer."""

    def catch_up(self, table: int, rows: Array) -> None:
        """See RowOptimizer."""

    def start_step(self, rate: float) -> None:
        """See RowOptimizer."""
        self._rate = rate / (1 + float(self._state[0]["step"]) * self._group["lr_decay"])

    def update(self, table: int, rows: Array, gradient: Array) -> None:
        """See RowOptimizer."""
        _update(*self._tables[table], rows, gradient, self._rate, self._group["eps"])

    def finish_step(self) -> None:
        """See RowOptimizer."""
        for state in self._state:
            state["step"] += 1

    def finish_epoch(self) -> None:
        """See RowOptimizer."""


@compiled
def _update(
    weight: Array, squares: Array, rows: Array, gradient: Array, rate: float, eps: float
) -> None:
    for r in range(len(rows)):
        row = rows[r]
        for d in range(weight.shape[1]):
            g = gradient[r, d]
            squares[row, d] += g * g
            moved = np.float32(rate) * g / (np.sqrt(squares[row, d]) + np.float32(eps))
            weight[row, d] -= moved
