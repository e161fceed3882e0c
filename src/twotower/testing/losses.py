"""The contract of a loss: its gradient, what it must not depend on, and where it stays finite."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from twotower.loss import Loss, weight_error
from twotower.loss.base import needs_negatives
from twotower.testing.expect import expect, expect_close
from twotower.types import Scores

__all__ = ["CHECKS", "check_loss", "reads", "scores"]


def check_loss(loss: Loss) -> None:
    """Check a loss.

    Raises:
        AssertionError: The loss breaks the contract `Loss`.

    >>> from twotower.loss import BinaryCrossEntropy
    >>> check_loss(BinaryCrossEntropy())
    """
    for check in CHECKS:
        check(loss)


def scores(valid: Tensor | None, *, shared: bool, requires_grad: bool = False) -> Scores:
    """Return 4 positives with 3 negatives each, float64; embeddings [4, 5] of any scores."""
    generator = torch.Generator().manual_seed(7)
    positive, negative, counts, users, items = (
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((4,), (4, 3), (3,) if shared else (4, 3), (4, 5), (4, 5))
    )
    for given in (positive, negative, users, items):
        given.requires_grad_(requires_grad)
    return Scores(positive, negative, valid, counts, (users, items))


def some_valid() -> Tensor:
    """Return [4, 3] bool; the third row has no valid negative."""
    return torch.tensor([[1, 1, 0], [1, 0, 1], [0, 0, 0], [1, 1, 1]], dtype=torch.bool)


def reads(loss: Loss) -> set[str]:
    """Return what the loss looks at, and so may change: of positive, negative, embeddings."""
    given = scores(None, shared=False, requires_grad=True)
    assert given.embeddings is not None
    inputs = {"positive": given.positive, "negative": given.negative}
    inputs["embeddings"] = given.embeddings[1]
    found = torch.autograd.grad(loss(given), tuple(inputs.values()), allow_unused=True)
    return {name for name, grad in zip(inputs, found, strict=True) if grad is not None}


def check_gradient(loss: Loss) -> None:
    """Check that the loss is a scalar, and its gradient right."""
    for masked in (True, False):
        for shared in (True, False):
            given = scores(some_valid() if masked else None, shared=shared, requires_grad=True)
            _check_gradient(loss, given)


def _check_gradient(loss: Loss, given: Scores) -> None:
    assert given.embeddings is not None

    def of(positive: Tensor, negative: Tensor, *embeddings: Tensor) -> Tensor:
        users, items = embeddings
        return loss(replace(given, positive=positive, negative=negative, embeddings=(users, items)))

    inputs = (given.positive, given.negative, *given.embeddings)
    shape = list(of(*inputs).shape)
    expect(shape == [], f"__call__: must return a scalar, got shape {shape}")
    right = torch.autograd.gradcheck(of, inputs, raise_exception=False)
    expect(right, "__call__: its gradient is not that of its value; it must be differentiable")


def check_masking(loss: Loss) -> None:
    """Check that negatives that are not valid take no part."""
    valid = some_valid()
    for shared in (True, False):
        given = scores(valid, shared=shared, requires_grad=True)
        value = loss(given)
        (grad,) = torch.autograd.grad(
            value, given.negative, allow_unused=True, materialize_grads=True
        )
        expect(
            (grad[~valid] == 0).all(),
            "__call__: a negative that is not valid has a gradient (see twotower.loss.masking)",
        )
        for other in (1e4, float("inf")):
            changed = replace(given, negative=torch.where(valid, given.negative, other))
            expect(
                loss(changed) == value,
                f"__call__: the score {other} of a negative that is not valid changes the loss "
                "(see twotower.loss.masking)",
            )


def check_weights(loss: Loss) -> None:
    """Check that a row of weight n counts as n rows, for a loss that uses weights."""
    if weight_error(loss):
        return
    given = scores(None, shared=True)
    n_rows = len(given.positive)
    weights = torch.arange(n_rows)  # the first row counts nothing
    repeated = replace(
        given,
        positive=given.positive.repeat_interleave(weights),
        negative=given.negative.repeat_interleave(weights, 0),
        embeddings=None,
    )
    expected = loss(repeated) * int(weights.sum()) / n_rows  # means over more rows
    found = loss(replace(given, weights=weights.float()))
    expect_close(found, expected, "uses_weights: a row of weight n must count as n rows")
    ones = loss(replace(given, weights=torch.ones(n_rows)))
    expect(torch.equal(ones, loss(given)), "uses_weights: weights of 1 must change nothing")


def check_direction(loss: Loss) -> None:
    """Check that the loss falls when pairs are ranked better."""
    drawn = scores(None, shared=False)
    if "embeddings" in reads(loss):
        _check_embeddings(loss, drawn)
        return
    # Where all is misranked: a loss may ask of a score to be near its target, not beyond it.
    given = replace(drawn, positive=-drawn.positive.abs(), negative=1 + drawn.negative.abs())
    better = replace(given, positive=given.positive + 1)
    expect(loss(better) < loss(given), "__call__: must fall when positives rise")
    if needs_negatives(loss):
        better = replace(given, negative=given.negative - 1)
        expect(loss(better) < loss(given), "__call__: must fall when negatives fall")


def _check_embeddings(loss: Loss, drawn: Scores) -> None:
    apart = torch.eye(4, 5, dtype=torch.float64)
    near = apart + torch.tensor([3.0, 0, 0, 0, 0])  # all of them lean to one side

    def of(users: Tensor, items: Tensor) -> float:
        return loss(replace(drawn, embeddings=(users, items))).item()

    closer = of(apart, apart) < of(apart, -apart) and of(near, near) < of(near, -near)
    expect(closer, "__call__: must fall when users draw near their items")
    expect(of(apart, apart) < of(near, near), "__call__: must fall when embeddings spread")


def check_finite(loss: Loss) -> None:
    """Check that the loss is finite for large scores, no valid negative and a batch of one row."""
    for size in (-1e4, 1e4):
        far = Scores(
            positive=torch.full((2,), size),
            negative=torch.full((2, 3), -size),
            valid=None,
            log_expected_count=torch.zeros(2, 3),
            embeddings=(torch.full((2, 4), abs(size) ** 0.5), torch.full((2, 4), size)),
        )
        expect(loss(far).isfinite(), f"__call__: must be finite for scores of {size:g}")
    none_valid = torch.zeros(4, 3, dtype=torch.bool)
    finite = loss(scores(none_valid, shared=False)).isfinite()
    expect(finite, "__call__: must be finite where no negative is valid")
    given = scores(None, shared=True)
    assert given.embeddings is not None
    users, items = given.embeddings
    one = replace(
        given,
        positive=given.positive[:1],
        negative=given.negative[:1],
        embeddings=(users[:1], items[:1]),
    )
    expect(loss(one).isfinite(), "__call__: must be finite for a batch of one row")


CHECKS = (check_gradient, check_masking, check_weights, check_direction, check_finite)
