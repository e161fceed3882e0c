"""The mean of the items."""

from torch import Generator, Tensor, nn

__all__ = ["MeanEncoder"]


class MeanEncoder(nn.Module):
    """The mean of the valid items; it learns nothing of its own.

    How Covington et al. 2016 (RecSys, "Deep neural networks for YouTube recommendations") read what
    a user had watched.
    """

    ordered = False

    def __init__(self, *, emb_dim: int, history_length: int, generator: Generator) -> None:
        super().__init__()

    def forward(self, items: Tensor, valid: Tensor) -> Tensor:
        """See Encoder."""
        return items.sum(1) / valid.sum(1, keepdim=True).clamp(min=1)
