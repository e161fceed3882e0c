"""A learned weighted mean of a history."""

import torch
from torch import Generator, Tensor, nn

from twotower.core.component import component

__all__ = ["AttentionEncoder"]


@component
class AttentionEncoder(nn.Module):
    """The mean of the items, weighted by content and, with `recency`, by position.

    One learned query q attends over the items, as in the pooling of Yang et al. 2016 (NAACL,
    "Hierarchical attention networks for document classification"): the weights are the softmax of
    q . item + r[position], the position counted from the newest item. All parameters start at 0, so
    training starts from the plain mean.

    Example:
        >>> import torch
        >>> items = torch.tensor([[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
        >>> valid = torch.tensor([[False, True, True]])
        >>> encoder = AttentionEncoder(
        ...     recency=True, emb_dim=2, history_length=3, generator=torch.Generator()
        ... )
        >>> encoder(items, valid).detach()
        tensor([[0.5000, 0.5000]])
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
