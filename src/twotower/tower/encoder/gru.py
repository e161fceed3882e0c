"""A recurrent network over the items."""

from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from torch import Generator, Tensor, nn

from twotower.tower.encoder.seeded import SeededDropout, drawing_from

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
            self.output = nn.Linear(hidden, emb_dim, bias=False)

    def forward(self, items: Tensor, valid: Tensor) -> Tensor:
        """See Encoder."""
        # Padding goes to the back: the state is still 0 when the first valid item is read.
        order = torch.argsort(~valid, dim=1, stable=True)
        read = items.gather(1, order[..., None].expand_as(items))
        states, _ = self.gru(self.dropout(self.norm(read)))  # [B, L, hidden]
        last = valid.sum(1).clamp(min=1) - 1
        state = states[torch.arange(len(states), device=states.device), last]
        output: Tensor = self.output(state)
        return output
