"""Self-attention over a history."""

from collections.abc import Iterator
from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from torch import Generator, Tensor, nn

from twotower.core.component import component, rule
from twotower.core.errors import ErrorEntry
from twotower.tower.encoder.seeded import SeededDropout, drawing_from

__all__ = ["SASRecEncoder"]


@component
class SASRecEncoder(nn.Module):
    """The newest position, after blocks of causal self-attention.

    SASRec, of Kang and McAuley 2018 (ICDM, "Self-attentive sequential recommendation"), as a
    two-tower model, with learned positions counted from the newest item. Hidden vectors have
    `hidden` components, divided among `n_heads` heads.

    Example:
        >>> import torch
        >>> items = torch.tensor([[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
        >>> valid = torch.tensor([[False, True, True]])
        >>> encoder = SASRecEncoder(
        ...     8, 1, 2, 0.0, emb_dim=2, history_length=3, generator=torch.Generator()
        ... )
        >>> encoder(items, valid).shape
        torch.Size([1, 2])
    """

    ordered = True

    def __init__(
        self,
        hidden: PositiveInt,
        n_blocks: PositiveInt,
        n_heads: PositiveInt,
        dropout: Annotated[float, Field(ge=0, lt=1)],
        *,
        emb_dim: int,
        history_length: int,
        generator: Generator,
    ) -> None:
        super().__init__()
        self.dropout = SeededDropout(dropout, generator=generator)
        places = torch.empty(history_length, hidden).normal_(std=0.02, generator=generator)
        self.places = nn.Parameter(places)
        with drawing_from(generator):
            self.input = nn.Sequential(nn.LayerNorm(emb_dim), nn.Linear(emb_dim, hidden))
            self.output = nn.Sequential(
                nn.LayerNorm(hidden), nn.Linear(hidden, emb_dim, bias=False)
            )
        self.blocks = nn.ModuleList(
            _Block(hidden, n_heads, dropout, generator=generator) for _ in range(n_blocks)
        )

    @staticmethod
    @rule
    def heads_divide_hidden(hidden: int, n_heads: int) -> Iterator[ErrorEntry]:
        """Yield an error if `hidden` cannot be divided equally among the heads."""
        if hidden % n_heads:
            wrong = f"which does not divide hidden={hidden}"
            yield ErrorEntry("n_heads", n_heads, wrong, "must be one of its divisors")

    def forward(self, items: Tensor, valid: Tensor) -> Tensor:
        """See Encoder."""
        length = items.shape[1]
        hidden = self.dropout(self.input(items) + self.places[-length:])  # [B, L, H]
        older = torch.ones(length, length, dtype=torch.bool, device=items.device).tril()
        # Each position sees itself, valid or not: attention over nothing is NaN.
        itself = torch.eye(length, device=items.device).bool()  # of floats, for ONNX
        sees = (older & valid[:, None, :]) | itself  # [B, L, L]
        for block in self.blocks[:-1]:
            hidden = block(hidden, sees)
        newest = self.blocks[-1](hidden, sees[:, -1:])[:, 0]  # [B, H]: the one that is read
        output: Tensor = self.output(newest)
        return output


class _Block(nn.Module):
    """Self-attention, then a feed-forward network per position, both with residual connections.

    Layer normalisation comes first in each, so that deep stacks train without a warm-up. Torch's
    own TransformerEncoderLayer computes all positions, also in the last block, where only the
    newest is read, and its dropout draws from the global generator.
    """

    def __init__(self, hidden: int, n_heads: int, dropout: float, *, generator: Generator) -> None:
        super().__init__()
        self._heads = (n_heads, hidden // n_heads)
        with drawing_from(generator):
            self.attention_norm, self.forward_norm = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
            self.query, self.key = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)
            self.value, self.mix = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)
            self.feed_forward = nn.Sequential(
                nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, hidden)
            )
        self.attention_dropout = SeededDropout(dropout, generator=generator)
        self.forward_dropout = SeededDropout(dropout, generator=generator)

    def forward(self, hidden: Tensor, sees: Tensor) -> Tensor:
        """Return [B, Q, H], the newest Q places of `hidden` [B, L, H]; `sees` is [B, Q, L]."""
        normed = self.attention_norm(hidden)
        newest = hidden[:, -sees.shape[1] :]
        attended = nn.functional.scaled_dot_product_attention(
            self._split(self.query(normed[:, -sees.shape[1] :])),
            self._split(self.key(normed)),
            self._split(self.value(normed)),
            attn_mask=sees[:, None],
        )  # [B, heads, Q, H / heads]
        mixed = self.mix(attended.transpose(1, 2).flatten(2))
        newest = newest + self.attention_dropout(mixed)
        further = self.feed_forward(self.forward_norm(newest))
        output: Tensor = newest + self.forward_dropout(further)
        return output

    def _split(self, places: Tensor) -> Tensor:
        """Return [B, heads, L, H / heads] for `places` [B, L, H]."""
        return places.view(*places.shape[:2], *self._heads).transpose(1, 2)
