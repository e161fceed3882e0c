"""The contracts of towers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Annotated, Protocol, runtime_checkable

from torch import Tensor, nn

from twotower.config import Contract

__all__ = ["HistoryEncoder", "Tower", "TowerFactory"]


class Tower(Protocol):
    """A torch module that encodes the rows of its side (users or items) as embeddings.

    To add a tower, write an nn.Module with the methods below and name it, with `_partial_: true`,
    in a YAML file of `conf/tower`. Its constructor takes the YAML keys, then, after `*`, `side` (a
    twotower.types.Side: its kind, number of rows and features) and `generator`, from which it must
    draw all its initial weights. It is built once per side and knows nothing of the other tower,
    the negatives or the loss.
    """

    @abstractmethod
    def __call__(self, rows: Tensor) -> Tensor:
        """Return the embeddings of some rows, with gradients.

        Args:
            rows: [...] int64 row numbers, repeats allowed.

        Returns:
            [..., emb_dim] float, on the module's device.
        """
        ...

    @abstractmethod
    def table(self) -> Tensor:
        """Return the embeddings of every row that the tower can serve, in the order of rows.

        Equal to `self(torch.arange(n))` in evaluation mode.

        Returns:
            [n, emb_dim] float: n is the number of train rows, or of all rows of the side if the
            tower knows more than ids.
        """
        ...


@runtime_checkable
class HistoryEncoder(Protocol):
    """A torch module that takes the place of a user tower and encodes histories.

    Users are represented by the items they interacted with, each as the item tower's embedding of
    it, so users unknown to train can be served. It is built as a Tower is, for the user side.

    Attributes:
        history_length: How many of the newest items are read.
    """

    history_length: int

    @property
    def ordered(self) -> bool:
        """Whether the order of the items matters; the log must then have timestamps."""
        ...

    @abstractmethod
    def encode(self, items: Tensor, valid: Tensor) -> Tensor:
        """Return the embeddings of B users.

        Args:
            items: [B, L, emb_dim] item embeddings, the newest last; L is at most history_length.
            valid: [B, L] bool, False where there is no item. A row may have none at all.

        Returns:
            [B, emb_dim] float, finite. Places that are not valid must have no influence.
        """
        ...


# What a node of the group `tower` is instantiated as: called with `side` and `generator`, it
# returns a Tower or a HistoryEncoder.
TowerFactory = Annotated[
    Callable[..., nn.Module], Contract(Tower, HistoryEncoder, given=("side", "generator"))
]
