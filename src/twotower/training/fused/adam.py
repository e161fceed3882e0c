"""Adam and AdamW on the rows of a batch, with the result of their dense form."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.optim import Optimizer

from twotower.core.compiled import compiled
from twotower.training.fused.deferred import Deferred

__all__ = ["AdamRows"]

Array = NDArray[Any]


class AdamRows:
    """Kingma and Ba 2015, and Loshchilov and Hutter 2019; see RowOptimizer.

    A row without a gradient keeps moving by its fading momentum: with r = b1 / sqrt(b2), by
    lr_t r^k m / sqrt(v) in the k-th step after its last use, up to bias correction and eps.
    `catch_up` adds these up at once. Bias correction and learning rates enter exactly, eps as its
    mean over the steps, which is far below a float32's last digit unless eps dominates sqrt(v).
    """

    def __init__(self, optimizer: Optimizer) -> None:
        (self._group,) = optimizer.param_groups
        self._b1, self._b2 = self._group["betas"]
        self._deferred = Deferred(self._b1 / math.sqrt(self._b2), 1 / math.sqrt(self._b2))
        self._state = [optimizer.state[each] for each in self._group["params"]]
        self._tables: list[tuple[Array, Array, Array, Array]] = []
        for parameter, state in zip(self._group["params"], self._state, strict=True):
            if not state:
                state["step"] = torch.tensor(0.0)
                state["exp_avg"] = torch.zeros_like(parameter)
                state["exp_avg_sq"] = torch.zeros_like(parameter)
            moments = state["exp_avg"].numpy(), state["exp_avg_sq"].numpy()
            last_used = np.zeros(len(parameter), np.int64)
            self._tables.append((parameter.detach().numpy(), *moments, last_used))

    def start_epoch(self, steps: int) -> None:
        """See RowOptimizer."""
        self._deferred.start_epoch(steps)
        self._steps_before = int(self._state[0]["step"])
        ages = np.arange(steps + 1)
        self._fade1 = (self._b1**ages).astype(np.float32)
        self._fade2 = (self._b2**ages).astype(np.float32)

    def catch_up(self, table: int, rows: Array) -> None:
        """See RowOptimizer."""
        deferred = self._deferred
        now = deferred.now
        _catch_up(*self._tables[table], rows, now, deferred.sums, deferred.means, deferred.shrunk)

    def start_step(self, rate: float) -> None:
        """See RowOptimizer."""
        step = self._steps_before + self._deferred.now + 1
        root = math.sqrt(1 - self._b2**step)
        self._rate = rate * root / (1 - self._b1**step)
        self._eps = self._group["eps"] * root
        self._factor = 1 - rate * self._group["weight_decay"]

    def update(self, table: int, rows: Array, gradient: Array) -> None:
        """See RowOptimizer."""
        step, b1, b2 = self._deferred.now + 1, self._b1, self._b2
        constants = np.array([1 - b1, 1 - b2, self._rate, self._eps, self._factor], np.float32)
        _update(*self._tables[table], rows, gradient, step, self._fade1, self._fade2, constants)

    def finish_step(self) -> None:
        """See RowOptimizer."""
        self._deferred.step(self._rate, self._eps, self._factor)

    def finish_epoch(self) -> None:
        """See RowOptimizer."""
        now = self._deferred.now
        for table, state in enumerate(self._state):
            _, first, second, last_used = self._tables[table]
            self.catch_up(table, np.arange(len(last_used)))
            _fade(first, second, last_used, now, self._fade1, self._fade2)
            state["step"] += now
        self.start_epoch(0)


@compiled
def _catch_up(
    weight: Array,
    first: Array,
    second: Array,
    last_used: Array,
    rows: Array,
    now: int,
    sums: Array,
    means: Array,
    shrunk: Array,
) -> None:
    for r in range(len(rows)):
        row = rows[r]
        last = last_used[row]
        if last == now:
            continue
        factor = np.float32(shrunk[now] / shrunk[last])
        rate = np.float32(shrunk[now] * sums[last])
        eps = np.float32(means[last] / sums[last]) if sums[last] > 0 else np.float32(1)
        for d in range(weight.shape[1]):
            moved = rate * first[row, d] / (np.sqrt(second[row, d]) + eps)
            weight[row, d] = factor * weight[row, d] - moved


@compiled
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
    rest1, rest2, rate = constants[0], constants[1], constants[2]
    eps, factor = constants[3], constants[4]
    for r in range(len(rows)):
        row = rows[r]
        age = step - last_used[row]
        kept1, kept2 = fade1[age], fade2[age]
        last_used[row] = step
        for d in range(weight.shape[1]):
            g = gradient[r, d]
            m = kept1 * first[row, d] + rest1 * g
            v = kept2 * second[row, d] + rest2 * g * g
            first[row, d] = m
            second[row, d] = v
            weight[row, d] = factor * weight[row, d] - rate * m / (np.sqrt(v) + eps)


@compiled
def _fade(
    first: Array, second: Array, last_used: Array, now: int, fade1: Array, fade2: Array
) -> None:
    """Bring the moments of all rows to the end of step `now`, which becomes step 0."""
    for row in range(len(last_used)):
        age = now - last_used[row]
        last_used[row] = 0
        if age == 0:
            continue
        for d in range(first.shape[1]):
            first[row, d] *= fade1[age]
            second[row, d] *= fade2[age]
