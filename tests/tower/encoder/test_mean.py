"""The mean of what is valid."""

from __future__ import annotations

import torch

from twotower.tower.encoder import MeanEncoder


def test_mean_by_hand() -> None:
    encoder = MeanEncoder(emb_dim=2, history_length=3, generator=torch.Generator())
    items = torch.tensor([[[0.0, 0.0], [1.0, 2.0], [3.0, 6.0]], [[0.0, 0.0]] * 3])
    valid = torch.tensor([[False, True, True], [False, False, False]])
    # (1 + 3) / 2 and (2 + 6) / 2; of nothing, 0.
    assert encoder(items, valid).tolist() == [[2.0, 4.0], [0.0, 0.0]]
    assert list(encoder.parameters()) == []
