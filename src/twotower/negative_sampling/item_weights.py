"""Item probabilities in fixed point: sums of them are exact, whatever their order."""

import torch
from torch import Tensor

from twotower.types import TrainInteractions

__all__ = ["popularity_weights", "random_ranks"]


def popularity_weights(train: TrainInteractions, alpha: float) -> Tensor:
    """[n_items] int64 in proportion to count^alpha, on the CPU; their sum is about 2^48 or less.

    Integers, because sums and differences of floats would round an item that cannot come into one
    that does. An item without interactions weighs 0, with alpha 0 as much as any other. The sum
    times the number of users stays below 2^63, so that (user, sum of weights) fits one key.
    """
    counts = train.item_counts.double()
    shares = (counts / counts.max().clamp(min=1)) ** alpha  # 0 ** 0 is 1
    total = min(2**48, 2**62 // max(train.n_users, 1))
    weights = (shares / shares.sum() * total).round().long()
    # What can come at all comes at times, however small its share.
    return torch.where(shares > 0, weights.clamp(min=1), 0)


def random_ranks(shape: tuple[int, ...], below: Tensor, generator: torch.Generator) -> Tensor:
    """Integers from 0 to `below` - 1 (int64, at most 2^52, broadcasts to `shape`); 0 for 0.

    A float64 below 1 has 53 bits: times `below` it is never rounded up to `below`.
    """
    uniform = torch.rand(shape, generator=generator, device=below.device, dtype=torch.float64)
    return (uniform * below).long()
