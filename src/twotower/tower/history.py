"""The user as what they had met, in the embeddings of the item tower."""

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Generator, Tensor, nn

from twotower.tower.embedding import EmbeddingTower
from twotower.tower.encoder import Encoder
from twotower.types import Side

__all__ = ["HistoryTower", "tower_of_side"]


class HistoryTower(nn.Module):
    """A HistoryEncoder: users are what `encoder` makes of the items that they had met.

    It knows no user by a row of its own, so users who came after training are served as well. One
    vector, `start`, is learned for all, drawn from N(0, init_std^2): that of a user of whom nothing
    is known, to which what is known is added. It lets items be popular, which a mean of the items'
    own embeddings alone can hardly say. With the similarity `cosine` users come at length 1.
    """

    def __init__(
        self,
        emb_dim: int,
        init_std: float,
        similarity: Literal["dot", "cosine"],
        history_length: int,
        encoder: Callable[..., Encoder],
        *,
        generator: Generator,
    ) -> None:
        super().__init__()
        self.history_length = history_length
        self._cosine = similarity == "cosine"
        self.start = nn.Parameter(torch.empty(emb_dim).normal_(std=init_std, generator=generator))
        self.encoder = encoder(emb_dim=emb_dim, history_length=history_length, generator=generator)

    @property
    def ordered(self) -> bool:
        """Whether it matters in which order items were met."""
        return self.encoder.ordered

    def encode(self, items: Tensor, valid: Tensor) -> Tensor:
        """See HistoryEncoder."""
        # What stands where nothing is valid must not count, in gradients too, be it NaN.
        encoded = self.encoder(items.where(valid[..., None], 0.0), valid)
        vectors = self.start + encoded.where(valid.any(1, keepdim=True), 0.0)
        return nn.functional.normalize(vectors, dim=-1) if self._cosine else vectors


def tower_of_side(
    emb_dim: PositiveInt,
    init_std: PositiveFloat,
    similarity: Literal["dot", "cosine"],
    history_length: PositiveInt,
    encoder: Callable[..., Encoder],
    *,
    side: Side,
    generator: Generator,
) -> EmbeddingTower | HistoryTower:
    """A HistoryTower of users, or the EmbeddingTower of the items that it reads."""
    if side.kind == "item":
        return EmbeddingTower(emb_dim, init_std, similarity, False, side=side, generator=generator)
    return HistoryTower(emb_dim, init_std, similarity, history_length, encoder, generator=generator)
