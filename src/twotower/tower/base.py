"""The contract that every tower keeps."""

from typing import Protocol

from torch import Tensor

__all__ = ["Tower"]


class Tower(Protocol):
    """A torch module that encodes row numbers of its side (users or items) as embeddings.

    A tower knows nothing of the other tower, of negatives or of the loss.
    """

    def __call__(self, ids: Tensor) -> Tensor:
        """Embeddings [..., emb_dim] of `ids` ([...] int64)."""
        ...

    def table(self) -> Tensor:
        """Embeddings [n, emb_dim] of every row, in order."""
        ...
