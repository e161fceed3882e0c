"""The contract of a history encoder."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from twotower.testing.expect import expect
from twotower.testing.towers import histories
from twotower.tower.encoder import Encoder

__all__ = ["check_encoder"]

_DIM, _LENGTH = 8, 5


def check_encoder(make: Callable[..., Encoder]) -> None:
    """Check an encoder of histories.

    Args:
        make: Makes the encoder from `emb_dim`, `history_length` and `generator`.

    Raises:
        AssertionError: The encoder breaks the contract `Encoder`.

    >>> from twotower.tower.encoder import MeanEncoder
    >>> check_encoder(MeanEncoder)
    """
    one, same = _made(make), _made(make)
    expect(isinstance(one.ordered, bool), "ordered: must be True or False")
    items, valid = histories(_DIM)
    items = items.where(valid[..., None], 0.0)
    encoded = one(items, valid)
    right = list(encoded.shape) == [len(items), _DIM]
    expect(right, f"__call__: must return [B, emb_dim], got {list(encoded.shape)}")
    expect(encoded.isfinite().all(), "__call__: must be finite, also for an empty history")
    expect(torch.equal(encoded, same(items, valid)), "one seed must make one encoder")
    longer = nn.functional.pad(items, (0, 0, 1, 0)), nn.functional.pad(valid, (1, 0))
    known = valid.any(1)
    close = torch.allclose(encoded[known], one(*longer)[known], atol=1e-5)
    expect(close, "__call__: a place that is not valid, before the history, has an influence")
    turned = one(items.flip(1), valid.flip(1))
    same_set = torch.allclose(encoded[known], turned[known], atol=1e-5)
    expect(one.ordered or same_set, "ordered: is False, but the order of the items matters")


def _made(make: Callable[..., Encoder]) -> Encoder:
    """Return the encoder in evaluation mode."""
    generator = torch.Generator().manual_seed(0)
    made = make(emb_dim=_DIM, history_length=_LENGTH, generator=generator)
    return made.eval() if isinstance(made, nn.Module) else made
