"""The contract that encoders keep."""

from typing import Protocol

from torch import Tensor

__all__ = ["Encoder"]


class Encoder(Protocol):
    """A torch module that makes one vector of the items that a user had met.

    It is built from its config and, after `*`, `emb_dim`, `history_length` (of the longest history
    that it is given) and `generator`, of which it draws its first weights.
    """

    ordered: bool  # whether it matters which item came first: the log then has to tell times

    def __call__(self, items: Tensor, valid: Tensor) -> Tensor:
        """[B, emb_dim], finite, of `items` [B, L, emb_dim], the newest last, where `valid` [B, L].

        Items that are not valid are zeros. Where none is valid, any finite vector may come.
        """
        ...
