"""The contracts of towers: of rows, and of histories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import polars as pl
import torch
from torch import Tensor, nn

from twotower.core.component import arguments_of
from twotower.testing.expect import expect, expect_close
from twotower.tower import HistoryEncoder
from twotower.types import Side

__all__ = ["CHECKS", "SIDES", "check_tower", "histories"]

# What makes a tower: called with `side` and `generator`.
Make = Callable[..., nn.Module]

# 9 rows of a side, of which train holds 7.
FEATURES = pl.DataFrame(
    {
        "title": [f"title {row}" for row in range(9)],
        "kind": ["a", "b", "a", None, "b", "a", "b", "new", "a"],
        "genres": [["x"], ["x", "y"], [], ["y"], None, ["x"], ["y"], ["z"], ["x", "z"]],
        "year": [1990, 1995, None, 1997, 1998, 1999, 2000, 2005, 2007],
    }
)
SIDES: dict[Literal["user", "item"], Side] = {"user": Side("user", 9, 7, FEATURES)}
SIDES["item"] = replace(SIDES["user"], kind="item")


def check_tower(make: Make) -> None:
    """Check a tower, for both sides.

    Args:
        make: Makes the tower from `side` and `generator`; a functools.partial that holds `emb_dim`
            if it makes a HistoryEncoder.

    Raises:
        AssertionError: The tower breaks the contract `Tower` or `HistoryEncoder`.

    >>> from functools import partial
    >>> from twotower.tower import EmbeddingTower
    >>> check_tower(partial(EmbeddingTower, 4, 0.1, "dot", bias=False))
    """
    for side in SIDES.values():
        for check in CHECKS:
            check(make, side)


def made(make: Make, side: Side, seed: int = 0) -> Any:
    """Return the tower of a side."""
    return make(side=side, generator=torch.Generator().manual_seed(seed))


def histories(emb_dim: int) -> tuple[Tensor, Tensor]:
    """Return [4, 3, emb_dim] items and where they are valid: 3, 1, none and 2 of them."""
    generator = torch.Generator().manual_seed(5)
    valid = torch.tensor([[1, 1, 1], [0, 0, 1], [0, 0, 0], [0, 1, 1]], dtype=torch.bool)
    return torch.randn(4, 3, emb_dim, generator=generator), valid


def embeddings(make: Make, tower: Any) -> Tensor:
    """Return the embeddings of every row of a tower, or of some histories."""
    tower.eval()
    if isinstance(tower, HistoryEncoder):
        return tower.encode(*histories(arguments_of(make)["emb_dim"]))
    table: Tensor = tower.table()
    return table


def check_encoding(make: Make, side: Side) -> None:
    """Check that rows are those of the table, or that padding has no influence on histories."""
    tower = made(make, side)
    encoded = embeddings(make, tower)
    if isinstance(tower, HistoryEncoder):
        _check_histories(tower, encoded, *histories(arguments_of(make)["emb_dim"]))
        return
    n = len(encoded)
    expect(
        encoded.dim() == 2 and n in (side.n_train, side.n),
        f"table: must have a row for each of train ({side.n_train}) or of the side ({side.n}), got "
        f"{list(encoded.shape)}",
    )
    message = "__call__: must return the rows of table() in evaluation mode"
    expect_close(tower(torch.arange(n)), encoded, message)
    rows = torch.tensor([[6, 0, 2], [2, 2, 5]])
    expect_close(tower(rows), encoded[rows], message)


def _check_histories(tower: HistoryEncoder, encoded: Tensor, items: Tensor, valid: Tensor) -> None:
    shape = [items.shape[0], items.shape[2]]
    right = list(encoded.shape) == shape
    expect(right, f"encode: must return {shape}, got {list(encoded.shape)}")
    expect(encoded.isfinite().all(), "encode: must be finite, also for an empty history")
    padded = tower.encode(items.where(valid[..., None], torch.nan), valid)
    expect(torch.equal(encoded, padded), "encode: places that are not valid have an influence")
    items.requires_grad_()
    torch.autograd.backward(tower.encode(items, valid).square().sum())
    grad = items.grad
    right = grad is not None and bool(grad.isfinite().all())
    right = right and grad is not None and torch.equal(grad.abs().sum(-1) > 0, valid)
    expect(right, "encode: all valid items, and no others, must have a finite gradient")


def check_seeds(make: Make, side: Side) -> None:
    """Check that the generator alone decides the initial weights."""
    one, same, other = (embeddings(make, made(make, side, seed)) for seed in (0, 0, 1))
    expect(torch.equal(one, same), "two generators of one seed must make one tower")
    expect(not torch.equal(one, other), "generators of two seeds make the same tower")


def check_state(make: Make, side: Side) -> None:
    """Check that a tower loads what another one has learned."""
    one, other = made(make, side, 0), made(make, side, 1)
    other.load_state_dict(one.state_dict())
    same = torch.equal(embeddings(make, one), embeddings(make, other))
    expect(same, "state_dict: must hold all that the embeddings depend on")


def check_learning(make: Make, side: Side) -> None:
    """Check that every parameter learns."""
    tower = made(make, side)
    torch.autograd.backward(embeddings(make, tower).square().sum())
    grads = {name: parameter.grad for name, parameter in tower.named_parameters()}
    expect(grads, "parameters: a tower must have some")
    for name, grad in grads.items():
        learns = grad is not None and bool(grad.isfinite().all() and grad.abs().sum() > 0)
        expect(learns, f"{name}: a parameter without a gradient")


CHECKS = (check_encoding, check_seeds, check_state, check_learning)
