"""How much memory a fit and the ranking after it need, before they take it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch

from twotower.core.component import arguments_of
from twotower.core.errors import ResourceError
from twotower.core.memory import available_bytes, with_unit
from twotower.evaluation import Evaluation
from twotower.running.sizes import negatives_of, state_of, weights_of
from twotower.tower.prior import TwoTowerFactory
from twotower.training import Objective, Trainer, batches_at_once
from twotower.types import Fold

__all__ = ["Needs", "lowerable", "needs_of", "require_memory"]

_FLOAT = 4
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
    weights, width, copied = weights_of(tower, fold)
    fused = trainer.fuses(objective, tower)
    per_weight = _FLOAT + state_of(objective.optimizer) + (0 if fused else _FLOAT)
    rows = fold.users.n + fold.items.n
    users, k = len(fold.holdout.users), max(evaluation.cutoffs)
    return Needs(
        tables=weights * per_weight + (12 * rows if fused else 0),
        best=weights * _FLOAT if validates else 0,
        data=24 * len(fold.train),
        batches=_of_a_batch(trainer, objective, fold, width, fused=fused),
        ranking=evaluation.held_bytes(fold.items.n)
        + 60 * users * k
        + copied * rows * width * _FLOAT,
    )


def _of_a_batch(
    trainer: Trainer, objective: Objective, fold: Fold, width: int, *, fused: bool
) -> int:
    """Return the bytes of a batch of embeddings of `width` numbers."""
    n = len(fold.train)
    batch = min(trainer.batch_size, n)
    negatives, pool = negatives_of(objective.sampler, batch, fold.train.n_items)
    if pool:
        return 4 * _FLOAT * batch * negatives + 3 * _FLOAT * width * (2 * batch + negatives)
    if not fused:
        return batch * (1 + negatives) * (24 + 4 * _FLOAT * width)
    used = min(batch, fold.users.n) + min(batch * (1 + negatives), fold.items.n)
    at_once = batches_at_once(trainer.chunk_size, max(1, batch * negatives))
    drawn = min(batch * at_once, n)  # rows whose negatives are drawn at once
    return 24 * drawn * negatives + 4 * _FLOAT * width * used


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
        limit: GiB that may be allocated; `auto`: what is free; None: anything.
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
    allowed = f"{with_unit(free)} are free"
    if limit != "auto":
        allowed = f"memory_gib={limit} allows {with_unit(free)}"
    raise ResourceError(
        f"training needs about {with_unit(needs.total)} more memory{' of the GPU' * on_gpu} "
        f"({needs}), and {allowed}; use {advice} (memory_gib=null tries anyway)"
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
