"""What every encoder owes, whichever it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import hypothesis
import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from twotower.config import CONF_DIR, build, compose

CHOICES = sorted(path.stem for path in (CONF_DIR / "tower" / "encoder").glob("*.yaml"))
EMB_DIM, LENGTH = 4, 6

EACH = pytest.mark.parametrize("choice", CHOICES)


@cache
def configured(choice: str) -> Callable[..., Any]:
    node = compose("train", ["tower=history", f"tower/encoder={choice}"])["tower"]
    made = build(node["encoder"])
    assert isinstance(made, partial)
    return made


def made(choice: str, seed: int = 0) -> Any:
    """Return the encoder configured in YAML, with no weight equal to 0."""
    encoder = configured(choice)(
        emb_dim=EMB_DIM, history_length=LENGTH, generator=torch.Generator().manual_seed(seed)
    )
    generator = torch.Generator().manual_seed(99)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter += torch.empty(parameter.shape).normal_(std=0.3, generator=generator)
    return encoder.eval()


def padded(items: Tensor, n_invalid: int) -> tuple[Tensor, Tensor]:
    """[1, L, D] and [1, L] of `items` [n, D], so many invalid places in front."""
    valid = torch.arange(n_invalid + len(items)) >= n_invalid
    return nn.functional.pad(items, (0, 0, n_invalid, 0))[None], valid[None]


def drawn(n: int, seed: int = 1) -> Tensor:
    """[n, D]"""
    return torch.randn(n, EMB_DIM, generator=torch.Generator().manual_seed(seed))


def test_the_encoders_are_found() -> None:
    assert {"attention", "gru", "mean", "sasrec"} <= set(CHOICES)


@EACH
@hypothesis.settings(max_examples=10, deadline=None)
@hypothesis.given(n_items=st.integers(1, LENGTH), seed=st.integers(0, 99))
def test_invalid_places_in_front_change_nothing(choice: str, n_items: int, seed: int) -> None:
    encoder, items = made(choice), drawn(n_items, seed)
    bare = encoder(*padded(items, 0))
    assert bare.shape == (1, EMB_DIM)
    for n_invalid in range(LENGTH - n_items + 1):
        torch.testing.assert_close(encoder(*padded(items, n_invalid)), bare)


@EACH
def test_a_row_does_not_know_the_others(choice: str) -> None:
    encoder = made(choice)
    short, long = padded(drawn(2), LENGTH - 2), padded(drawn(LENGTH, 2), 0)
    both = encoder(torch.cat([short[0], long[0]]), torch.cat([short[1], long[1]]))
    torch.testing.assert_close(both, torch.cat([encoder(*short), encoder(*long)]))


@EACH
def test_the_order_matters_if_the_encoder_declares_it(choice: str) -> None:
    encoder, items = made(choice), drawn(4)
    one, other = encoder(*padded(items, 2)), encoder(*padded(items.flip(0), 2))
    assert bool(torch.allclose(one, other, atol=1e-6)) is not encoder.ordered


@EACH
def test_gradients_are_finite_and_reach_every_parameter_and_every_item(choice: str) -> None:
    encoder = made(choice)
    items = torch.stack([padded(drawn(n, n), LENGTH - n)[0][0] for n in (0, 1, 3, LENGTH)])
    valid = torch.arange(LENGTH) >= LENGTH - torch.tensor([0, 1, 3, LENGTH])[:, None]
    items.requires_grad_()
    (encoder(items, valid) * drawn(4, 7)).sum().backward()
    assert items.grad is not None
    assert torch.isfinite(items.grad).all()
    assert items.grad[valid].ne(0).any(-1).all()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.ne(0).any(), name


@EACH
def test_weights_follow_from_the_generator_alone(choice: str) -> None:
    def weights(seed: int) -> list[Tensor]:
        generator = torch.Generator().manual_seed(seed)
        encoder = configured(choice)(emb_dim=EMB_DIM, history_length=LENGTH, generator=generator)
        return [*encoder.state_dict().values(), generator.get_state()]

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(1)
        before = torch.get_rng_state()
        one = weights(3)
        assert torch.equal(torch.get_rng_state(), before)
        torch.default_generator.manual_seed(2)
        same, other = weights(3), weights(4)
    assert all(map(torch.equal, one, same))
    matrices = [(a, b) for a, b in zip(one, other, strict=True) if a.dim() > 1]
    assert not any(torch.equal(a, b) for a, b in matrices)


@EACH
def test_a_saved_state_is_taken_up(choice: str) -> None:
    first, second = made(choice, seed=0), made(choice, seed=1)
    second.load_state_dict(first.state_dict())
    history = padded(drawn(3), 1)
    assert torch.equal(first(*history), second(*history))
    # In training too: what dropout draws next is part of the state.
    first.train()
    second.train()
    for _ in range(2):
        assert torch.equal(first(*history), second(*history))
