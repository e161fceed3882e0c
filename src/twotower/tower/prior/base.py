"""The contract of priors, and the score per item that they add."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Protocol, TypedDict

import torch
from torch import Tensor, nn

from twotower.config import AlsoReads, Contract
from twotower.tower.base import HistoryEncoder, Tower
from twotower.types import Side, TrainInteractions

__all__ = ["ItemPrior", "Prior", "TwoTowerFactory", "split_prior"]


class Prior(Protocol):
    """What is known of items before any taste: it makes the score that each item starts from.

    To add a prior, write a class with the method below and name it in a YAML file of
    `conf/tower/prior`.
    """

    def of_items(self, items: Side, train: TrainInteractions | None) -> ItemPrior | None:
        """Return the scores of `items`, from the train part alone.

        Args:
            items: The items that the model knows, those of train first.
            train: What is counted; None where the values of a stored model will be loaded.

        Returns:
            The module that the model adds to its scores; None for no prior.
        """
        ...


class ItemPrior(nn.Module):
    """A score per item that is added to every user's: weight * z[item].

    z is log(count + 1), standardised over the items of train: mean 0, standard deviation 1. Cold
    items, which train does not hold, get the mean, 0.

    It is a constant that is added to the scores a loss sees, of positives and negatives alike, so
    towers learn what it does not explain. The loss asks for the same total scores with and without
    it: popularity is counted once. It is the logQ correction that decides whether these total
    scores contain popularity. With it, or with negatives drawn uniformly, they do, and the prior
    takes that part. Without it, negatives drawn by popularity ask for total scores without
    popularity; towers then learn to cancel the prior, and it is of no use.

    A training step that does not call `TwoTower.score`, as the fused kernel, must add `self(items)`
    to all its scores, and refuse a `weight` that requires a gradient. Embeddings, and so penalties
    of their norms and losses of embeddings, do not include the prior.

    Attributes:
        values: [n_train] float, z; NaN until the values of a stored model are loaded.
        weight: A scalar, a parameter if it is learned.

    Example:
        Counts of 0, 3 and 3: logs of 0, log 4 and log 4, whose z are -sqrt(2), sqrt(1/2) twice.

        >>> import torch
        >>> prior = ItemPrior(torch.tensor([0, 3, 3]), 3, weight=2.0, learned=False)
        >>> prior(torch.tensor([0, 1, 3]))
        tensor([-2.8284,  1.4142,  0.0000])
    """

    values: Tensor
    weight: Tensor

    def __init__(self, counts: Tensor | None, n_train: int, weight: float, learned: bool) -> None:
        """Standardise `counts`.

        Args:
            counts: [n_train] interactions of each item of train, weighted or not; None where
                values will be loaded.
            n_train: How many items train holds.
            weight: Score of an item one standard deviation above the mean.
            learned: Whether the weight is a parameter.
        """
        super().__init__()
        values = torch.full((n_train,), torch.nan)
        if counts is not None:
            values = _standardised((counts.double() + 1).log()).float()
        self.register_buffer("values", values)
        if learned:
            self.weight = nn.Parameter(torch.tensor(weight))
        else:
            self.register_buffer("weight", torch.tensor(weight))

    def forward(self, items: Tensor) -> Tensor:
        """Return the prior scores, [...], of `items` ([...] int64)."""
        known = items < len(self.values)
        scores = self.weight * self.values[items.where(known, 0)]
        return scores.where(known, 0.0)

    def table(self, n: int) -> Tensor:
        """Return the prior scores of the first `n` items, [n]."""
        scores: Tensor = self(torch.arange(n, device=self.values.device))
        return scores


def _standardised(values: Tensor) -> Tensor:
    """Return [n] of mean 0 and standard deviation 1; all 0 where all values are equal."""
    centred = values - values.mean()
    if values.min() == values.max():  # of equal numbers the deviation may be a rounding error
        return torch.zeros_like(values)
    return centred / values.std(correction=0)


class _PriorKey(TypedDict, total=False):
    prior: Prior


# What the config node `tower` is instantiated as: a TowerFactory that also holds the key `prior`.
TwoTowerFactory = Annotated[
    Callable[..., nn.Module], Contract(Tower, HistoryEncoder), AlsoReads(_PriorKey)
]


def split_prior(
    tower: Callable[..., nn.Module],
) -> tuple[Callable[..., nn.Module], Prior | None]:
    """Return the TowerFactory and the prior of a TwoTowerFactory."""
    if not isinstance(tower, partial) or "prior" not in tower.keywords:
        return tower, None
    keywords: dict[str, Any] = dict(tower.keywords)
    prior: Prior = keywords.pop("prior")
    return partial(tower.func, *tower.args, **keywords), prior
