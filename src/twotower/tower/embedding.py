"""The id tower: one trained vector per user or item."""

from collections.abc import Iterator
from typing import Literal

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Generator, Tensor, nn

from twotower.core.component import component, rule
from twotower.core.errors import ErrorEntry
from twotower.types import Side

__all__ = ["EmbeddingTower"]


@component
class EmbeddingTower(nn.Module):
    """A table of embeddings, one per row of train, initialised from N(0, init_std^2).

    With the similarity `cosine` embeddings are normalised to length 1, in training and in
    retrieval, so that the model's dot product is the cosine. With `bias` the last component of
    every user is 1, so the last component of an item is its bias.

    Example:
        >>> import torch
        >>> from twotower.types import Side
        >>> users = Side(kind="user", n=3, n_train=3, features=None)
        >>> tower = EmbeddingTower(
        ...     4, 0.01, "dot", bias=True, side=users, generator=torch.Generator().manual_seed(0)
        ... )
        >>> tower(torch.tensor([0, 2])).shape
        torch.Size([2, 4])
        >>> tower.table()[:, -1].tolist()
        [1.0, 1.0, 1.0]

    Attributes:
        weight: [n_train, emb_dim] parameter; one column less if `ends_in_one`.
        cosine: Whether embeddings are normalised.
        ends_in_one: Whether embeddings end in a constant 1, after the columns of `weight`.
    """

    def __init__(
        self,
        emb_dim: PositiveInt,
        init_std: PositiveFloat,
        similarity: Literal["dot", "cosine"],
        bias: bool,
        *,
        side: Side,
        generator: Generator,
    ) -> None:
        """Build the tower of one side.

        Args:
            emb_dim: Length of the embeddings.
            init_std: Standard deviation of the initial embeddings.
            similarity: `dot` or `cosine`.
            bias: Whether items have a bias; with `dot` only.
            side: Users or items.
            generator: Source of the initial weights.
        """
        super().__init__()
        self.cosine = similarity == "cosine"
        self.ends_in_one = bias and side.kind == "user"
        width = emb_dim - 1 if self.ends_in_one else emb_dim
        weight = torch.empty(side.n_train, width).normal_(std=init_std, generator=generator)
        self.weight = nn.Parameter(weight)

    @staticmethod
    @rule
    def bias_needs_dot(bias: bool, similarity: str) -> Iterator[ErrorEntry]:
        """Yield an error for a bias with `cosine`: normalisation would change the constant 1."""
        if bias and similarity == "cosine":
            yield ErrorEntry(
                "bias", True, "with similarity=cosine", "must be false, or similarity dot"
            )

    def forward(self, ids: Tensor) -> Tensor:
        """Return [..., emb_dim] for `ids` ([...] int64)."""
        if self.weight.device.type == "cpu":
            # Its gradient is summed by index_add_, in half the time of nn.functional.embedding.
            rows = self.weight.index_select(0, ids.flatten())
            rows = rows.view(*ids.shape, self.weight.shape[1])
        else:
            rows = nn.functional.embedding(ids, self.weight)
        return self._finished(rows)

    def table(self) -> Tensor:
        """Return `forward` of every id, [n_train, emb_dim]."""
        return self._finished(self.weight)

    def _finished(self, rows: Tensor) -> Tensor:
        if self.ends_in_one:
            return torch.cat([rows, rows.new_ones(*rows.shape[:-1], 1)], -1)
        return nn.functional.normalize(rows, dim=-1) if self.cosine else rows
