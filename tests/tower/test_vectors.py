"""Pretrained vectors as a column of the feature tower, by hand."""

from __future__ import annotations

import polars as pl
import pytest
import torch

from twotower.tower.columns import Vector

# Two rows of train with a mean square of (9 + 16 + 0 + 25) / 4 = 12.5 per component, one of train
# without a vector, and a cold row.
COLUMN = pl.Series("image", [[3.0, 4.0], [0.0, 5.0], None, [6.0, 8.0]], dtype=pl.List(pl.Float32))
SCALE = 12.5**0.5
ROWS = torch.arange(4)


def vector(*, tuned: bool, column: pl.Series = COLUMN) -> Vector:
    made = Vector(column, n_train=3, dim=3, tuned=tuned, generator=torch.Generator().manual_seed(0))
    made.weight.data = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    return made


@pytest.mark.parametrize("tuned", [False, True])
def test_a_vector_is_scaled_and_projected(tuned: bool) -> None:
    expected = torch.tensor([[3.0, 4, 7], [0, 5, 5], [0, 0, 0], [6, 8, 14]]) / SCALE
    torch.testing.assert_close(vector(tuned=tuned)(ROWS), expected)


def test_fine_tuning_moves_the_vectors_of_train_rows_that_have_one() -> None:
    made = vector(tuned=True)
    assert made.offsets is not None
    made(ROWS).sum().backward()
    # The gradient of each component is the sum of its weights.
    assert made.offsets.grad is not None
    assert made.offsets.grad.tolist() == [[2.0, 2.0], [2.0, 2.0], [0.0, 0.0]]


def test_frozen_vectors_train_the_projection_alone() -> None:
    made = vector(tuned=False)
    assert [name for name, _ in made.named_parameters()] == ["weight"]
    assert list(made.state_dict()) == ["weight"]


def test_the_unit_of_the_vectors_does_not_matter() -> None:
    larger = COLUMN.list.eval(pl.element() * 1000)
    torch.testing.assert_close(vector(tuned=False, column=larger)(ROWS), vector(tuned=False)(ROWS))
    zeros = COLUMN.list.eval(pl.element() * 0)
    assert not vector(tuned=False, column=zeros)(ROWS).any()
