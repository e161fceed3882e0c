"""Item probabilities in fixed point: sums of them are exact, whatever their order."""

import torch
from torch import Tensor

from twotower.types import TrainInteractions

__all__ = ["popularity_weights", "random_ranks"]


def popularity_weights(train: TrainInteractions, alpha: float) -> Tensor:
    """Return item weights proportional to count^alpha, as integers.

    With integers, sums and differences are exact: rounding never makes an impossible item possible.
    An item without interactions weighs 0, unless alpha is 0, when all items weigh the same. The sum
    times the number of users stays below 2^63, so that (user, sum of weights) fits one key.

    Returns:
        [n_items] int64 on the CPU; their sum is about 2^48 or less.
    """
    counts = train.item_counts.double()
    shares = (counts / counts.max().clamp(min=1)) ** alpha  # 0 ** 0 is 1
    total = min(2**48, 2**62 // max(train.n_users, 1))
    weights = (shares / shares.sum() * total).round().long()
    # An item of positive probability keeps a positive weight, however small.
    return torch.where(shares > 0, weights.clamp(min=1), 0)


def random_ranks(shape: tuple[int, ...], below: Tensor, generator: torch.Generator) -> Tensor:
    """Return uniform int64 from 0 to `below` - 1; 0 where `below` is 0.

    A float64 below 1 has 53 bits: times `below` it is never rounded up to `below`.

    Args:
        shape: Shape of the result.
        below: int64, at most 2^52, broadcasts to `shape`.
        generator: Source of randomness, on the device of `below`.
    """
    uniform = torch.rand(shape, generator=generator, device=below.device, dtype=torch.float64)
    return (uniform * below).long()
