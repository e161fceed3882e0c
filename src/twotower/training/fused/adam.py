"""Adam and AdamW on the rows of a batch, with the result of their dense form."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.optim import Optimizer

from twotower.core.compiled import linked
from twotower.training.fused.deferred import Deferred
from twotower.training.fused.row_updates import CATCH_UP, UPDATE, Array, RowState, RowUpdates

__all__ = ["AdamRows", "moments_of"]


@linked(CATCH_UP)
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
    factor = np.float32(constants[4])
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


class AdamRows(RowUpdates):
    """Kingma and Ba 2015, and Loshchilov and Hutter 2019; see RowUpdates.

    A row without a gradient keeps moving by its fading momentum: with r = b1 / sqrt(b2), by
    lr_t r^k m / sqrt(v) in the k-th step after its last use, up to bias correction and eps.
    `catch_up` adds these up at once. Bias correction and learning rates enter exactly, eps as its
    mean over the steps, which is far below a float32's last digit unless eps dominates sqrt(v).
    """

    catch_up_rows = _catch_up
    update_rows = _update

    def __init__(self, optimizer: Optimizer) -> None:
        (self._group,) = optimizer.param_groups
        self._b1, self._b2 = self._group["betas"]
        deferred = Deferred(self._b1 / math.sqrt(self._b2), 1 / math.sqrt(self._b2))
        tables = moments_of(optimizer)
        states = [optimizer.state[each] for each in self._group["params"]]
        super().__init__(tables, states, deferred, (self._b1, self._b2))

    def constants(self, step: int, rate: float) -> tuple[float, float, float, float, float]:
        """See RowUpdates."""
        root = math.sqrt(1 - self._b2**step)
        corrected = rate * root / (1 - self._b1**step)
        factor = 1 - rate * self._group["weight_decay"]
        return 1 - self._b1, 1 - self._b2, corrected, self._group["eps"] * root, factor


def moments_of(optimizer: Optimizer) -> list[RowState]:
    """Return the tables of an optimizer with two moments, which are set to 0 if it has none."""
    tables = []
    for parameter in optimizer.param_groups[0]["params"]:
        state = optimizer.state[parameter]
        if not state:
            state["step"] = torch.tensor(0.0)
            for name in ("exp_avg", "exp_avg_sq"):
                # By numpy, which asks for large pages: a row is then found in less time.
                state[name] = torch.from_numpy(np.zeros(parameter.shape, np.float32))
        moments = state["exp_avg"].numpy(), state["exp_avg_sq"].numpy()
        last_used = np.zeros(len(parameter), np.int64)
        tables.append(RowState(parameter.detach().numpy(), *moments, last_used))
    return tables
