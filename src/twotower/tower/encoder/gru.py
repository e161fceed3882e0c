"""A recurrent network over a history."""

from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from torch import Generator, Tensor, nn

from twotower.core.component import component
from twotower.tower.encoder.seeded import SeededDropout, drawing_from

__all__ = ["GRUEncoder"]


@component
class GRUEncoder(nn.Module):
    """The last state of a GRU that reads the items from the oldest to the newest.

    GRU4Rec, of Hidasi et al. 2016 (ICLR, "Session-based recommendations with recurrent neural
    networks"), as a two-tower model: the state, of size `hidden`, is projected to the embedding of
    a user.

    Example:
        >>> import torch
        >>> items = torch.tensor([[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
        >>> valid = torch.tensor([[False, True, True]])
        >>> encoder = GRUEncoder(
        ...     8, 0.0, emb_dim=2, history_length=3, generator=torch.Generator().manual_seed(0)
        ... )
        >>> encoder(items, valid).shape
        torch.Size([1, 2])
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
        # Padding moves to the back: the state is still 0 when the first valid item is read.
        n_valid, count = valid.sum(1, keepdim=True), valid.long().cumsum(1)
        after = n_valid + torch.arange(valid.shape[1], device=valid.device) - count
        places = torch.where(valid, count - 1, after)
        read = torch.zeros_like(items).scatter(1, places[..., None].expand_as(items), items)
        states, _ = self.gru(self.dropout(self.norm(read)))  # [B, L, hidden]
        last = n_valid.clamp(min=1) - 1
        state = states.gather(1, last[..., None].expand(-1, 1, states.shape[2]))[:, 0]
        output: Tensor = self.output(state)
        return output
