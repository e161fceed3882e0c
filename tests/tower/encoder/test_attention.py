"""Attention with weights that are set by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from twotower.tower.encoder import AttentionEncoder

LN = math.log
ITEMS = torch.tensor([[[0.0, 0.0], [1.0, 0.0], [0.0, 4.0]]])
VALID = torch.tensor([[False, True, True]])


def encoder(recency: bool, query: list[float], places: list[float]) -> AttentionEncoder:
    made = AttentionEncoder(recency, emb_dim=2, history_length=3, generator=torch.Generator())
    weights: dict[str, Tensor] = {"query": torch.tensor(query)}
    if recency:
        weights["recency"] = torch.tensor(places)
    made.load_state_dict(weights)
    return made


def test_weights_by_hand() -> None:
    # Logits ln 3 and 0: weights 3/4 and 1/4 of (1, 0) and (0, 4).
    made = encoder(False, [LN(3), 0.0], [])
    assert made(ITEMS, VALID)[0].tolist() == pytest.approx([0.75, 1.0])


def test_recency_by_hand() -> None:
    # Places count from the newest: ln 3 + 0 and 0 + ln 2 give weights 3/5 and 2/5.
    made = encoder(True, [LN(3), 0.0], [9.0, 0.0, LN(2)])
    assert made(ITEMS, VALID)[0].tolist() == pytest.approx([0.6, 1.6])
    # So they do in a shorter batch.
    assert made(ITEMS[:, 1:], VALID[:, 1:])[0].tolist() == pytest.approx([0.6, 1.6])


@pytest.mark.parametrize("recency", [True, False])
def test_at_first_it_is_the_mean(recency: bool) -> None:
    made = AttentionEncoder(recency, emb_dim=2, history_length=3, generator=torch.Generator())
    assert made(ITEMS, VALID).tolist() == [[0.5, 2.0]]
    assert made.ordered is recency
