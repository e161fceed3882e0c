"""A recurrent network over the items."""

from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from torch import Generator, Tensor, nn

from twotower.encoder.seeded import SeededDropout, drawing_from

__all__ = ["GRUEncoder"]


class GRUEncoder(nn.Module):
    """The last state of a GRU that reads the items from the oldest to the newest.

    GRU4Rec, of Hidasi et al. 2016 (ICLR, "Session-based recommendations with recurrent neural
    networks"), as a two-tower model: the state, of `hidden` numbers, is mapped to the embedding of
    a user.
    """

    ordered = True

    def __init__(
        self,
        hidden: PositiveInt,
        dropout: Annotated[float, Field(ge=0, lt=1)],
        *,
        emb_dim: int,
        history_length: int,
        generator: Generator,
    ) -> None:
        super().__init__()
        self.dropout = SeededDropout(dropout, generator=generator)
        with drawing_from(generator):
            self.norm = nn.LayerNorm(emb_dim)
            self.gru = nn.GRU(emb_dim, hidden, batch_first=True)
            self.output = nn.Linear(hidden, emb_dim)

    def forward(self, items: Tensor, valid: Tensor) -> Tensor:
        """See Encoder."""
        lengths = valid.sum(1).clamp(min=1)
        read = _from_the_front(self.dropout(self.norm(items)), lengths)
        states, _ = self.gru(read)  # [B, L, hidden]
        last = states[torch.arange(len(states), device=states.device), lengths - 1]
        output: Tensor = self.output(last)
        return output


def _from_the_front(items: Tensor, lengths: Tensor) -> Tensor:
    """`items` [B, L, D], each row turned so that its last `lengths` [B] come first.

    The state is then still 0 when the first of them is read.
    """
    length = items.shape[1]
    turn = length - lengths[:, None] + torch.arange(length, device=items.device)  # [B, L]
    return items.gather(1, (turn % length)[..., None].expand_as(items))
