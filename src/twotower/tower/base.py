"""The contracts that towers keep."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Protocol, runtime_checkable

from torch import Tensor, nn

from twotower.config import Contract

__all__ = ["HistoryEncoder", "Tower", "TowerFactory"]


class Tower(Protocol):
    """A torch module that encodes row numbers of its side (users or items) as embeddings.

    It is built from its config and, after `*`, `side` (a twotower.types.Side) and `generator`, of
    which it draws its first weights. It knows nothing of the other tower, of negatives or the loss.
    """

    def __call__(self, rows: Tensor) -> Tensor:
        """Embeddings [..., emb_dim] of `rows` ([...] int64)."""
        ...

    def table(self) -> Tensor:
        """Embeddings [n, emb_dim] of every row that it can serve, in order: those of train, or,
        where it knows more than ids, of the whole side."""
        ...


@runtime_checkable
class HistoryEncoder(Protocol):
    """A torch module in the place of a user tower that encodes what users had met, whoever they
    are; each item comes as the item tower's own embedding of it."""

    history_length: int  # how many of the newest items are read

    @property
    def ordered(self) -> bool:
        """Whether it matters which item came first: the log then has to tell times."""
        ...

    def encode(self, items: Tensor, valid: Tensor) -> Tensor:
        """[B, emb_dim] of `items` [B, L, emb_dim], the newest last, where `valid` [B, L].

        A row may have nothing valid: a user of whom nothing is known.
        """
        ...


# What a node of the group `tower` gives: called with `side` and `generator`, a tower.
TowerFactory = Annotated[Callable[..., nn.Module], Contract(Tower, HistoryEncoder)]
