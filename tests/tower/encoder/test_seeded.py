"""Chance inside modules follows from their generator."""

from __future__ import annotations

import torch

from twotower.tower.encoder.seeded import SeededDropout


def dropout(share: float) -> SeededDropout:
    return SeededDropout(share, generator=torch.Generator().manual_seed(0))


def test_a_share_is_zeroed_and_the_mean_stays() -> None:
    # Of 40,000 numbers a share of 1/4 is dropped, with a standard error of sqrt(3/16 / 40000) =
    # 0.0022; the others are 1 / (3/4).
    values = dropout(0.25)(torch.ones(200, 200))
    assert abs((values == 0).double().mean().item() - 0.25) < 4 * 0.0022
    assert torch.equal(values[values != 0], torch.full_like(values[values != 0], 4 / 3))


def test_calls_draw_independently_and_one_seed_repeats_them() -> None:
    one, same, values = dropout(0.5), dropout(0.5), torch.ones(10, 10)
    before = torch.get_rng_state()
    first, second = one(values), one(values)
    assert not torch.equal(first, second)
    assert torch.equal(same(values), first)
    assert torch.equal(same(values), second)
    assert torch.equal(torch.get_rng_state(), before)


def test_out_of_training_and_at_0_nothing_changes() -> None:
    values = torch.randn(3, 3, generator=torch.Generator().manual_seed(1))
    assert torch.equal(dropout(0.5).eval()(values), values)
    assert torch.equal(dropout(0.0)(values), values)
