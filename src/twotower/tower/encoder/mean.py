"""The mean of a history."""

from torch import Generator, Tensor, nn

from twotower.core.component import component

__all__ = ["MeanEncoder"]


@component
class MeanEncoder(nn.Module):
    """The mean of the valid items; it has no parameters.

    Covington et al. 2016 (RecSys, "Deep neural networks for YouTube recommendations") encode watch
    histories in this way.

    Example:
        >>> import torch
        >>> items = torch.tensor([[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
        >>> valid = torch.tensor([[False, True, True]])
        >>> encoder = MeanEncoder(emb_dim=2, history_length=3, generator=torch.Generator())
        >>> encoder(items, valid)
        tensor([[0.5000, 0.5000]])
    """

    ordered = False

    def __init__(self, *, emb_dim: int, history_length: int, generator: Generator) -> None:
        super().__init__()

    def forward(self, items: Tensor, valid: Tensor) -> Tensor:
        """See Encoder."""
        return items.sum(1) / valid.sum(1, keepdim=True).clamp(min=1)
