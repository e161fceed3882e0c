"""The GRU against its own equations, and against padding that must not move its state."""

from __future__ import annotations

import pytest
import torch

from twotower.tower.encoder import GRUEncoder


def test_two_steps_by_hand() -> None:
    made = GRUEncoder(1, 0.0, emb_dim=2, history_length=3, generator=torch.Generator())
    for parameter in made.gru.parameters():
        torch.nn.init.zeros_(parameter)
    with torch.no_grad():
        # Rows of torch's weights are reset, update, new. The norm makes (1, 0) to (1, -1): only
        # the first number is read, by `new` alone.
        weights = dict(made.gru.named_parameters())
        weights["weight_ih_l0"][2, 0] = 0.5
        weights["bias_ih_l0"][2] = 0.25  # would move the state where nothing was met
        made.output.weight.copy_(torch.tensor([[1.0], [2.0]]))
    items = torch.tensor([[[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
    valid = torch.tensor([[False, True, True]])
    # The update gate is sigmoid(0) = 1/2: h1 = tanh(0.5 + 0.25) / 2, h2 = tanh(-0.5 + 0.25) / 2
    # + h1 / 2 = -0.1225 + 0.1588 = 0.0363. Out: (h2, 2 h2).
    state = 0.25 * 0.6351490 - 0.5 * 0.2449187
    expected = [state, 2 * state]
    assert made(items, valid)[0].tolist() == pytest.approx(expected, abs=1e-4)
