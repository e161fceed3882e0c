"""A user represented by the items they interacted with, in the item tower's embeddings."""

from typing import Literal

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Generator, Tensor, nn

from twotower.core.component import component
from twotower.tower.embedding import EmbeddingTower
from twotower.tower.encoder import EncoderFactory
from twotower.types import Side

__all__ = ["HistoryTower", "tower_of_side"]


class HistoryTower(nn.Module):
    """A HistoryEncoder: a user's embedding is `start` plus the encoded history.

    It has no parameters per user, so users who arrive after training are served too. `start`, one
    trained vector for all users, initialised from N(0, init_std^2), is the embedding of a user
    without history. It lets the model represent item popularity, which a mean of item embeddings
    alone hardly can. With the similarity `cosine` embeddings are normalised to length 1.

    Example:
        >>> import torch
        >>> from twotower.tower.encoder import MeanEncoder
        >>> tower = HistoryTower(
        ...     2, 0.01, "dot", 50, MeanEncoder, generator=torch.Generator().manual_seed(0)
        ... )
        >>> items = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
        >>> tower.encode(items, torch.tensor([[True, True]])) - tower.start
        tensor([[0.5000, 0.5000]], grad_fn=<SubBackward0>)
    """

    def __init__(
        self,
        emb_dim: int,
        init_std: float,
        similarity: Literal["dot", "cosine"],
        history_length: int,
        encoder: EncoderFactory,
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
        """Whether the order of the items matters."""
        return self.encoder.ordered

    def encode(self, items: Tensor, valid: Tensor) -> Tensor:
        """See HistoryEncoder."""
        # Places that are not valid must not contribute, nor to gradients, even if NaN.
        encoded = self.encoder(items.where(valid[..., None], 0.0), valid)
        vectors = self.start + encoded.where(valid.any(1, keepdim=True), 0.0)
        return nn.functional.normalize(vectors, dim=-1) if self._cosine else vectors


@component
def tower_of_side(
    emb_dim: PositiveInt,
    init_std: PositiveFloat,
    similarity: Literal["dot", "cosine"],
    history_length: PositiveInt,
    encoder: EncoderFactory,
    *,
    side: Side,
    generator: Generator,
) -> EmbeddingTower | HistoryTower:
    """Return a HistoryTower for users, or the EmbeddingTower of the items that it reads."""
    if side.kind == "item":
        return EmbeddingTower(emb_dim, init_std, similarity, False, side=side, generator=generator)
    return HistoryTower(emb_dim, init_std, similarity, history_length, encoder, generator=generator)
