"""A learned weighing of the items."""

import torch
from torch import Generator, Tensor, nn

__all__ = ["AttentionEncoder"]


class AttentionEncoder(nn.Module):
    """The mean of the items, weighed by what they are and, with `recency`, by how new they are.

    One learned query q attends over them, as in the pooling of Yang et al. 2016 (NAACL,
    "Hierarchical attention networks for document classification"): the weights are the softmax of
    q . item + r[place], the place counted from the newest. All start at 0, as the plain mean.
    """

    def __init__(
        self, recency: bool, *, emb_dim: int, history_length: int, generator: Generator
    ) -> None:
        super().__init__()
        self.ordered = recency
        self.query = nn.Parameter(torch.zeros(emb_dim))
        self.recency = nn.Parameter(torch.zeros(history_length)) if recency else None

    def forward(self, items: Tensor, valid: Tensor) -> Tensor:
        """See Encoder."""
        logits = items @ self.query  # [B, L]
        if self.recency is not None:
            logits = logits + self.recency[-items.shape[1] :]  # the newest is the last
        # Not -inf: the softmax of a row without any item would be NaN.
        weights = logits.masked_fill(~valid, torch.finfo(logits.dtype).min).softmax(-1)
        return (weights[..., None] * items).sum(1)
