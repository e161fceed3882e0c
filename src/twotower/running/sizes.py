"""The sizes of a model, of an optimizer's state and of negatives, found without allocating them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer, SparseAdam

from twotower.core.component import arguments_of
from twotower.core.errors import TwoTowerError
from twotower.model import TwoTower
from twotower.tower import EmbeddingTower
from twotower.tower.prior import TwoTowerFactory
from twotower.types import Fold, Side, TrainInteractions

__all__ = ["negatives_of", "state_of", "weights_of"]

_PROBED = 1_000  # rows of a side from which the size of larger ones is extrapolated


def weights_of(tower: TwoTowerFactory, fold: Fold) -> tuple[int, int, bool]:
    """Return the number of weights, the length of embeddings, and whether they are computed.

    Embeddings that are not computed are the weights themselves, and take no memory of their own.
    """
    with _without_warnings():
        return _known_or_extrapolated(tower, fold)


def _known_or_extrapolated(tower: TwoTowerFactory, fold: Fold) -> tuple[int, int, bool]:
    ids_alone = fold.user_features is None and fold.item_features is None
    if not (ids_alone or getattr(tower, "func", tower) is EmbeddingTower):
        return _extrapolated(tower, fold)
    try:
        with torch.device("meta"):  # without memory
            model = TwoTower.build(
                tower, users=fold.users, items=fold.items, seed=0, train=fold.train
            )
            return _numbers(model), *_embeddings(model)
    except (RuntimeError, TypeError, ValueError):  # it reads values of tensors
        return _extrapolated(tower, fold)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Silence towers, which warn once the model itself is built."""
    towers = logging.getLogger("twotower.tower")
    level = towers.level
    towers.setLevel(logging.ERROR)
    try:
        yield
    finally:
        towers.setLevel(level)


def _embeddings(model: TwoTower) -> tuple[int, bool]:
    width = model.item_table().shape[1]
    table: Tensor = model.item_tower.table()  # type: ignore[operator]
    return width, model.prior is not None or table is not getattr(model.item_tower, "weight", None)


def _extrapolated(tower: TwoTowerFactory, fold: Fold) -> tuple[int, int, bool]:
    """Return the same, from two models of few rows: most weights are rows of tables."""
    small, large = (_built(tower, fold, size) for size in (_PROBED, 2 * _PROBED))
    total = _numbers(large)
    for kind in ("user", "item"):
        side: Side = getattr(fold, f"{kind}s")
        if side.n > 2 * _PROBED:
            change = _numbers(getattr(large, f"{kind}_tower"))
            change -= _numbers(getattr(small, f"{kind}_tower"))
            total += change * (side.n - 2 * _PROBED) // _PROBED
    return total, *_embeddings(large)


def _built(tower: TwoTowerFactory, fold: Fold, size: int) -> TwoTower:
    users, items = (_head(side, size) for side in (fold.users, fold.items))
    train, row = fold.train, fold.train.items.new_zeros(1)
    times = None if train.timestamps is None else train.timestamps[:1]  # for a prior
    one = TrainInteractions(row, row, users.n_train, items.n_train, times, dated=train.dated)
    return TwoTower.build(tower, users=users, items=items, seed=0, train=one)


def _head(side: Side, size: int) -> Side:
    n = min(side.n, size)
    features = None if side.features is None else side.features.head(n)
    return replace(side, n=n, n_train=min(side.n_train, n), features=features)


def _numbers(module: nn.Module) -> int:
    return sum(each.numel() for each in (*module.parameters(), *module.buffers()))


def state_of(optimizer: Callable[[Iterable[Tensor]], Optimizer]) -> int:
    """Return the bytes that an optimizer keeps per weight."""
    weight = nn.Parameter(torch.zeros(64, 64))
    made = optimizer([weight])
    gradient = torch.ones_like(weight)
    weight.grad = gradient.to_sparse(1) if isinstance(made, SparseAdam) else gradient
    made.step(lambda: 0.0)  # some, such as LBFGS, need a loss
    kept = [each for each in made.state[weight].values() if isinstance(each, Tensor)]
    return sum(each.numel() * each.element_size() for each in kept) // weight.numel()


def negatives_of(sampler: Callable[..., Any], batch_size: int, n_items: int) -> tuple[int, bool]:
    """Return how many negatives a row is scored against, and whether they are a pool's.

    They are drawn for few rows: a pool grows with the batch, or with the items, or with neither.
    """
    asked = int(arguments_of(sampler).get("num_negatives") or 0)
    try:
        few, more = (_drawn(sampler, rows, asked + 8) for rows in (4, 6))
        every = _drawn(sampler, 4, asked + 9)
    except (TwoTowerError, RuntimeError, ValueError):  # it needs more than such data
        return asked, False
    if few.dim() == 2:
        return few.shape[1], False
    if len(every) > len(few):
        return n_items, True
    return len(few) + (len(more) - len(few)) // 2 * (batch_size - 4), True


def _drawn(sampler: Callable[..., Any], n_rows: int, n_items: int) -> Tensor:
    rows = torch.arange(n_rows)
    train = TrainInteractions(rows.int(), rows.int(), n_rows, n_items)
    made = sampler(train=train, device=torch.device("cpu"))
    items: Tensor = made.sample(rows, rows, torch.Generator().manual_seed(0)).items
    return items
