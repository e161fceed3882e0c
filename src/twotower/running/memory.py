"""How much memory a fit and the ranking after it need, before they take it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer, SparseAdam

from twotower.core.component import arguments_of
from twotower.core.errors import ResourceError, TwoTowerError
from twotower.core.memory import available_bytes, with_unit
from twotower.evaluation import Evaluation
from twotower.model import TwoTower
from twotower.tower import EmbeddingTower
from twotower.tower.prior import TwoTowerFactory
from twotower.training import Objective, Trainer, batches_at_once
from twotower.types import Fold, Side, TrainInteractions

__all__ = ["Needs", "lowerable", "needs_of", "require_memory"]

_FLOAT = 4
_PROBED = 1_000  # rows of a side from which the size of larger ones is extrapolated
_GIB = 2**30
_WORTH_A_LINE = 10**9  # bytes

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Needs:
    """Bytes, by what needs them.

    Attributes:
        tables: Weights, their gradients and the optimizer's state.
        best: The copy of the weights of the best epoch, which is in host memory.
        data: What is made of the train part: the order of an epoch, and the items users have seen.
        batches: Negatives, embeddings and scores of a step.
        ranking: Blocks of scores, lists, and embeddings where they are not the weights themselves.
    """

    tables: int
    best: int
    data: int
    batches: int
    ranking: int

    @property
    def total(self) -> int:
        """The peak: batches and rankings are not there at the same time."""
        return self.tables + self.best + self.data + max(self.batches, self.ranking)

    def __str__(self) -> str:
        return ", ".join(f"{name} {with_unit(size)}" for name, size in vars(self).items())


def needs_of(
    tower: TwoTowerFactory,
    trainer: Trainer,
    objective: Objective,
    evaluation: Evaluation,
    fold: Fold,
    *,
    validates: bool,
) -> Needs:
    """Return what fitting a model to `fold` and ranking its holdout need, beyond the fold itself.

    Args:
        tower: Makes the towers.
        trainer: Trains them.
        objective: What is minimised.
        evaluation: What ranks.
        fold: The data.
        validates: Whether the weights of the best epoch are kept.
    """
    weights, widest, copied = _weights(tower, fold)
    fused = trainer.fuses(objective, tower)
    per_weight = _FLOAT + _state(objective.optimizer) + (0 if fused else _FLOAT)
    rows = fold.users.n + fold.items.n
    n = len(fold.train)
    batch = min(trainer.batch_size, n)
    negatives, pool = _negatives(objective.sampler, batch, fold.train.n_items)
    if pool:
        per_batch = 4 * _FLOAT * batch * negatives + 3 * _FLOAT * widest * (2 * batch + negatives)
    elif fused:
        used = min(batch, fold.users.n) + min(batch * (1 + negatives), fold.items.n)
        at_once = batches_at_once(trainer.chunk_size, max(1, batch * negatives))
        drawn = min(batch * at_once, n)  # rows whose negatives are drawn at once
        per_batch = 24 * drawn * negatives + 4 * _FLOAT * widest * used
    else:
        per_batch = batch * (1 + negatives) * (24 + 4 * _FLOAT * widest)
    users, k = len(fold.holdout.users), max(evaluation.cutoffs)
    return Needs(
        tables=weights * per_weight + (12 * rows if fused else 0),
        best=weights * _FLOAT if validates else 0,
        data=24 * n,
        batches=per_batch,
        ranking=evaluation.held_bytes(fold.items.n)
        + 60 * users * k
        + copied * rows * widest * _FLOAT,
    )


def require_memory(
    needs: Needs,
    settings: Mapping[str, int],
    limit: float | Literal["auto"] | None,
    accelerator: str = "cpu",
) -> None:
    """Raise ResourceError if there is not as much memory, naming what to lower and what would fit.

    Args:
        needs: What is needed.
        settings: The values of keys that can be lowered, by key: see `lowerable`.
        limit: GiB that may be used more; `auto`: what is free; None: anything.
        accelerator: `trainer.accelerator`. On a GPU everything but the best epoch is in its memory.
    """
    on_gpu = accelerator != "cpu" and torch.cuda.is_available()
    needs = replace(needs, best=0) if on_gpu else needs
    if limit == "auto":
        free = torch.cuda.mem_get_info()[0] if on_gpu else available_bytes()
    else:
        free = None if limit is None else int(limit * _GIB)
    level = logging.INFO if needs.total >= _WORTH_A_LINE else logging.DEBUG
    logger.log(level, "memory: about %s (%s)", with_unit(needs.total), needs)
    if free is None or needs.total <= free:
        return
    fits = [text for key, value in settings.items() if (text := _fitting(needs, key, value, free))]
    advice = " or ".join(fits) or "a machine with more memory, since no single key is enough"
    raise ResourceError(
        f"training needs about {with_unit(needs.total)} more memory{' of the GPU' * on_gpu} "
        f"({needs}), and {with_unit(free)} are free; use {advice} (memory_gib=null tries anyway)"
    )


_PARTS = {  # what grows in proportion to a key
    "tower.emb_dim": ("tables", "best", "batches"),
    "trainer.batch_size": ("batches",),
    "negative_sampling.num_negatives": ("batches",),
}


def lowerable(tower: TwoTowerFactory, trainer: Trainer, objective: Objective) -> dict[str, int]:
    """Return the values of the keys that memory depends on, those that the config has."""
    values = {
        "tower.emb_dim": arguments_of(tower).get("emb_dim"),
        "trainer.batch_size": trainer.batch_size,
        "negative_sampling.num_negatives": arguments_of(objective.sampler).get("num_negatives"),
    }
    return {key: value for key, value in values.items() if isinstance(value, int)}


def _fitting(needs: Needs, key: str, value: int, free: int) -> str | None:
    """Return the largest value of a key that fits, as `key=value`; None if none does."""

    def fits(lower: int) -> bool:
        sizes = {part: getattr(needs, part) * lower // value for part in _PARTS[key]}
        return replace(needs, **sizes).total <= free

    least, most = 0, value  # the first fits or is none, the second does not
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (middle, most) if fits(middle) else (least, middle)
    return f"{key}={least}" if least else None


def _weights(tower: TwoTowerFactory, fold: Fold) -> tuple[int, int, bool]:
    """Return how many weights a model has, how long its embeddings are, and whether these are
    computed, rather than weights themselves."""
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
    train = fold.train
    few = TrainInteractions(train.users[:0], train.items[:0], users.n_train, items.n_train)
    return TwoTower.build(tower, users=users, items=items, seed=0, train=few)


def _head(side: Side, size: int) -> Side:
    n = min(side.n, size)
    features = None if side.features is None else side.features.head(n)
    return replace(side, n=n, n_train=min(side.n_train, n), features=features)


def _numbers(module: nn.Module) -> int:
    return sum(each.numel() for each in (*module.parameters(), *module.buffers()))


def _state(optimizer: Callable[[Iterable[Tensor]], Optimizer]) -> int:
    """Return the bytes that an optimizer keeps per weight."""
    weight = nn.Parameter(torch.zeros(64, 64))
    made = optimizer([weight])
    gradient = torch.ones_like(weight)
    weight.grad = gradient.to_sparse(1) if isinstance(made, SparseAdam) else gradient
    made.step(lambda: 0.0)  # some, such as LBFGS, need a loss
    kept = [each for each in made.state[weight].values() if isinstance(each, Tensor)]
    return sum(each.numel() * each.element_size() for each in kept) // weight.numel()


def _negatives(sampler: Callable[..., Any], batch_size: int, n_items: int) -> tuple[int, bool]:
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
