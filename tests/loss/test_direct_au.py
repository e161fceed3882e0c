"""DirectAU: by hand, against torch's own distances, and at its edges."""

from __future__ import annotations

import math

import hypothesis
import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

from twotower.core.errors import ConfigError
from twotower.loss import DirectAU
from twotower.types import Scores

# Of any length: what counts is the direction.
USERS = torch.tensor([[2.0, 0.0], [0.0, 3.0]], dtype=torch.float64)
POSITIVES = torch.tensor([[0.5, 0.0], [-1.0, 0.0]], dtype=torch.float64)


def given(users: Tensor, positives: Tensor) -> Scores:
    rows = len(users)
    return Scores(
        (users * positives).sum(1), torch.zeros(rows, 1), None, torch.zeros(1), (users, positives)
    )


def test_value_by_hand() -> None:
    # Pairs: (1, 0) and (1, 0) at 0; (0, 1) and (-1, 0) at a squared distance of 2; in the mean 1.
    assert DirectAU(0.0, 2.0)(given(USERS, POSITIVES)).item() == pytest.approx(1)
    # One pair of users at 2, one of items at 4: log e^-2t and log e^-4t, in the mean -3t.
    assert DirectAU(1.0, 2.0)(given(USERS, POSITIVES)).item() == pytest.approx(1 - 6)
    assert DirectAU(0.5, 1.0)(given(USERS, POSITIVES)).item() == pytest.approx(1 - 1.5)


def test_a_repeated_user_is_a_pair_at_distance_0() -> None:
    # Users (1, 0) twice and (0, 1): distances 0, 2, 2. Mean (1 + 2 e^-2t) / 3.
    users = USERS[[0, 0, 1]]
    uniformity = math.log((1 + 2 * math.exp(-4)) / 3)
    assert DirectAU(1.0, 2.0)(given(users, users)).item() == pytest.approx(uniformity)


@hypothesis.settings(max_examples=30, deadline=None)
@hypothesis.given(
    seed=st.integers(0, 10**6),
    rows=st.integers(2, 12),
    dim=st.integers(1, 5),
    t=st.floats(0.1, 10),
    gamma=st.floats(0, 10),
)
def test_it_is_what_distances_one_by_one_give(
    seed: int, rows: int, dim: int, t: float, gamma: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    users, items = torch.randn(2, rows, dim, generator=generator, dtype=torch.float64)
    units = [vectors / vectors.norm(dim=1, keepdim=True) for vectors in (users, items)]
    uniform = [torch.pdist(x).square().mul(-t).exp().mean().log() for x in units]
    expected = (units[0] - units[1]).norm(dim=1).square().mean() + gamma * sum(uniform) / 2
    torch.testing.assert_close(DirectAU(gamma, t)(given(users, items)), expected)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_its_gradient_is_right(rows: int) -> None:
    generator = torch.Generator().manual_seed(rows)
    vectors = torch.randn(2, rows, 3, generator=generator, dtype=torch.float64)
    users, items = vectors.requires_grad_().unbind()
    loss = DirectAU(0.7, 2.0)
    assert torch.autograd.gradcheck(lambda u, i: loss(given(u, i)), (users, items))


def test_one_row_alone_has_nothing_to_be_spread_from() -> None:
    # The second pair, at a squared distance of 2, is left with its alignment.
    alone = given(USERS[1:], POSITIVES[1:])
    assert DirectAU(5.0, 2.0)(alone).item() == pytest.approx(2)


@pytest.mark.parametrize("size", [0.0, 1e-30, 1e15])
@pytest.mark.parametrize("t", [1e-3, 1e3])
def test_value_and_gradient_stay_finite(size: float, t: float) -> None:
    # All alike, all opposite, or all of length 0.
    for sign in (1, -1):
        users = torch.full((3, 2), size, requires_grad=True)
        positives = torch.full((3, 2), sign * size, requires_grad=True)
        value = DirectAU(1.0, t)(given(users, positives))
        gradients = torch.autograd.grad(value, (users, positives))
        assert torch.isfinite(value)
        assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_scores_without_embeddings_are_refused() -> None:
    bare = Scores(torch.zeros(2), torch.zeros(2, 1), None, torch.zeros(1))
    with pytest.raises(ConfigError, match="loss: got direct_au for scores without embeddings"):
        DirectAU(1.0, 2.0)(bare)
