"""Many steps with own negatives in one compiled call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from twotower.core.compiled import compiled
from twotower.loss import StatesCompiledGradient
from twotower.tower.prior import ItemPrior
from twotower.training.batches import Batch
from twotower.training.fused.deferred import advance
from twotower.training.fused.own_negatives import own_backward, own_scores, valid_of
from twotower.training.fused.row_updates import RowUpdates
from twotower.training.fused.rows import find_rows, forget_rows
from twotower.training.fused.scores import Array, add_penalty
from twotower.training.fused.table import TowerTable, embed_rows, weight_gradients

__all__ = ["OwnSteps"]

_BLOCK = 256  # rows that stay in a near cache from one function to the next


class OwnSteps:
    """Steps through successive batches whose rows have negatives of their own.

    Each step does the work of FusedStep by the same compiled functions, without the calls from
    Python between them, which take longer than a small batch does.
    """

    def __init__(
        self,
        tables: Sequence[TowerTable],
        optimizer: RowUpdates,
        loss: StatesCompiledGradient,
        l2: float,
        prior: ItemPrior | None,
    ) -> None:
        """Prepare to train.

        Args:
            tables: Of the user tower and of the item tower.
            optimizer: Updates their rows.
            loss: Of the scores.
            l2: Weight of the mean squared norms of the batch's embeddings.
            prior: Added to the scores; its weight is fixed.
        """
        self._tables = tables
        self._optimizer = optimizer
        self._gradient = loss.compiled_gradient()
        self._l2 = l2
        self._prior = np.empty(0, np.float32)
        if prior is not None:
            self._prior = prior.table(len(tables[1].weight)).numpy()
        self._shape = (0, 0)
        self._buffers: tuple[Any, ...] = ()

    def __call__(self, batches: Batch, size: int, rates: Sequence[float]) -> tuple[Tensor, int]:
        """Make as many steps as there are batches.

        Args:
            batches: Of `size` rows each, the last one perhaps of fewer, as one.
            size: Rows of a batch.
            rates: The learning rate of each.

        Returns:
            The losses without the L2 term, and how many positives had no valid negative.
        """
        optimizer, negatives = self._optimizer, batches.negatives
        items = negatives.items.contiguous().numpy()
        self._make_room(min(size, len(items)), items.shape[1])
        constants = optimizer.step_constants(rates)
        losses = np.empty(len(rates))
        gradient, weights = self._gradient, batches.weights
        log_counts = torch.empty(0, 0)
        if gradient.reads_counts:
            log_counts = negatives.log_expected_count.expand(items.shape).contiguous()
        deferred = optimizer.deferred
        tables = [(*x, *y) for x, y in zip(optimizer.tables, self._places, strict=True)]
        work: Any = (
            # What the steps are made of.
            *(find_rows.address, forget_rows.address, embed_rows.address, own_scores.address),
            *(gradient.function.address, own_backward.address, add_penalty.address),
            *(weight_gradients.address, advance.address),
            *(optimizer.catch_up_rows.address, optimizer.update_rows.address),
            # The batches.
            (batches.users.numpy(), batches.positives.numpy(), items, valid_of(negatives)),
            log_counts.numpy(),
            np.empty(0, np.float32) if weights is None else weights.float().numpy(),
            size,
            # The tables, the loss and the optimizer.
            *(tuple(tables), self._prior, self._l2, np.array(gradient.constants)),
            *(constants, optimizer.fades),
            (deferred.sums, deferred.means, deferred.shrunk, *deferred.weights),
            deferred.now,
            # Memory for intermediate results, and for losses.
            *(*self._buffers, losses),
        )
        without = _steps(*work)
        deferred.now += len(rates)
        return torch.from_numpy(losses).float(), without

    def _make_room(self, rows: int, places: int) -> None:
        """Allocate what a batch of so many rows and negatives for each needs."""
        if self._shape[0] >= rows and self._shape[1] == places:
            return
        self._shape = (rows, places)
        entries = (rows, rows * (1 + places))
        sides, self._places = [], []
        for table, most in zip(self._tables, entries, strict=True):
            table.finder.prepare(most)
            self._places.append((table.finder.places, table.finder.shift))
            used = min(most, len(table.weight))
            vectors, gradient = (np.empty((used, table.width), np.float32) for _ in range(2))
            norms = np.empty(used if table.cosine else 0, np.float32)
            penalty = np.empty(used, np.float32)
            sides.append((np.empty(used, np.int64), vectors, norms, gradient, penalty))
        self._buffers = (
            tuple(sides),
            tuple(np.empty(shape, np.int32) for shape in (rows, rows, (rows, places))),
            (
                np.empty(rows, np.float32),
                np.empty((rows, places), np.float32),
                np.empty(rows, np.int64),
            ),
        )


@compiled
def _steps(
    find: Any,
    forget: Any,
    embed: Any,
    score: Any,
    slopes: Any,
    backward: Any,
    penalise: Any,
    to_weights: Any,
    advance: Any,
    catch_up: Any,
    update: Any,
    batches: Any,
    log_counts: Array,
    weights: Array,
    size: int,
    tables: Any,
    prior: Array,
    l2: float,
    loss_constants: Array,
    constants: Array,
    fades: Any,
    deferred: Any,
    now: int,
    table_buffers: Any,
    slot_buffers: Any,
    score_buffers: Any,
    losses: Array,
) -> int:
    """Step once per entry of `losses`; `OwnSteps.__call__` explains the arguments."""
    users, positives, negatives, valid = batches
    _, _, _, _, user_places, user_shift = tables[0]
    _, _, _, _, item_places, item_shift = tables[1]
    user_rows, user_vectors, _, user_gradient, user_penalty = table_buffers[0]
    item_rows, item_vectors, _, item_gradient, item_penalty = table_buffers[1]
    fade1, fade2 = fades
    sums, means, shrunk, aged, drifts = deferred
    n, places = negatives.shape
    without = 0
    for k in range(len(losses)):
        lo, hi = k * size, min(k * size + size, n)
        rows = hi - lo
        user_slots, positive_slots, negative_slots = slot_buffers
        user_slots, positive_slots = user_slots[:rows], positive_slots[:rows]
        negative_slots = negative_slots[:rows]
        positive, negative, counts = score_buffers
        positive, negative, counts = positive[:rows], negative[:rows], counts[:rows]

        u = find(users[lo:hi], user_places, user_shift, user_rows, 0, user_slots)
        i = find(positives[lo:hi], item_places, item_shift, item_rows, 0, positive_slots)
        drawn, found = negatives[lo:hi].reshape(-1), negative_slots.reshape(-1)
        i = find(drawn, item_places, item_shift, item_rows, i, found)
        forget(user_places, user_shift, user_rows, u)
        forget(item_places, item_shift, item_rows, i)

        for side in range(2):
            weight, first, second, last, _, _ = tables[side]
            used, vectors, norms, gradient, penalty = table_buffers[side]
            count = u if side == 0 else i
            for start in range(0, count, _BLOCK):
                at = slice(start, min(start + _BLOCK, count))
                here = used[at]
                catch_up(weight, first, second, last, here, now, sums, means, shrunk)
                embed(weight, here, vectors[at], norms[at], gradient[at], penalty[at])

        score(
            user_vectors,
            item_vectors,
            user_slots,
            positive_slots,
            negative_slots,
            valid[lo:hi],
            positive,
            negative,
            counts,
        )
        if len(prior):
            for b in range(rows):
                positive[b] += prior[positives[lo + b]]
                for c in range(places):
                    negative[b, c] += prior[negatives[lo + b, c]]
        for b in range(rows):
            without += counts[b] == 0
        losses[k] = slopes(
            positive, negative, counts, log_counts[lo:hi], weights[lo:hi], loss_constants
        )
        backward(
            user_vectors,
            item_vectors,
            user_slots,
            positive_slots,
            negative_slots,
            positive,
            negative,
            user_gradient,
            item_gradient,
        )
        if l2 != 0:
            penalise(user_penalty, user_slots, l2 / rows)
            penalise(item_penalty, positive_slots, l2 / rows)
            penalise(item_penalty, found, l2 / (rows * places))

        step = now + 1
        for side in range(2):
            weight, first, second, last, _, _ = tables[side]
            used, vectors, norms, gradient, penalty = table_buffers[side]
            count = u if side == 0 else i
            for start in range(0, count, _BLOCK):
                at = slice(start, min(start + _BLOCK, count))
                here, slope = used[at], gradient[at]
                to_weights(vectors[at], norms[at], penalty[at], slope)
                state = weight, first, second, last
                update(*state, here, slope, step, fade1, fade2, constants[k])
        advance(step, sums, means, shrunk, aged, drifts, constants[k])
        now = step
    return without
