"""Columns of features as vectors, by their kind; what is learned of them is learned of train."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import torch
from torch import Generator, Tensor, nn

from twotower.core.errors import errors_under
from twotower.tower.kinds import Kind
from twotower.tower.text import Bag

__all__ = ["Numeric", "Vector", "column_encoder", "column_width"]


class Numeric(nn.Module):
    """The number in units of train's standard deviation from train's mean, and whether it is
    missing: then 1, and 0 for the number.

    A number that is the same throughout train is always 0, and so is the flag where train misses
    none: weights that train cannot teach would stay as they were drawn.
    """

    values: Tensor

    def __init__(self, column: pl.Series, *, n_train: int) -> None:
        super().__init__()
        numbers = column.to_physical().cast(pl.Float64)
        numbers = numbers.set(~numbers.is_finite(), None)
        train = numbers.head(n_train)
        # Of equal numbers it may be a rounding error.
        deviation = train.std(ddof=0) if train.drop_nulls().n_unique() > 1 else None
        scaled = (numbers - train.mean()) / deviation if deviation else numbers * 0.0
        missing = numbers.is_null() & (train.null_count() > 0)
        both = pl.DataFrame({"number": scaled.fill_null(0.0), "missing": missing.cast(pl.Float64)})
        self.register_buffer("values", both.to_torch(dtype=pl.Float32))

    def forward(self, rows: Tensor) -> Tensor:
        """Return [M, 2] for `rows` ([M] int64)."""
        return self.values[rows]


class Vector(nn.Module):
    """A pretrained vector, projected to `dim` numbers by a trained matrix; zeros where missing.

    All vectors are divided by one number, so that those of train have a mean square of 1 per
    component and the projection keeps that scale. Fine-tuned vectors of train rows have a trained
    offset that starts at 0.
    """

    values: Tensor

    def __init__(
        self, column: pl.Series, *, n_train: int, dim: int, tuned: bool, generator: Generator
    ) -> None:
        """Build from a column of lists of floats, all of one length or null.

        Args:
            column: The vectors, those of train rows first.
            n_train: Number of train rows.
            dim: Length of the projected vectors.
            tuned: Whether the vectors of train rows are trained.
            generator: Source of the initial weights.
        """
        super().__init__()
        known = column.is_not_null().to_numpy()
        length = int(column.list.len().max())  # type: ignore[arg-type]
        values = torch.zeros(len(column), length)
        flat = column.drop_nulls().explode(empty_as_null=False).cast(pl.Float32)
        values[torch.from_numpy(known)] = flat.to_torch().view(-1, length)
        scale = values[:n_train][torch.from_numpy(known[:n_train])].square().mean().sqrt()
        # The columns of the side hold them too: not saved a second time.
        self.register_buffer("values", values / scale if scale > 0 else values, persistent=False)
        weight = torch.empty(length, dim).normal_(std=length**-0.5, generator=generator)
        self.weight = nn.Parameter(weight)
        self.offsets = nn.Parameter(torch.zeros(n_train, length)) if tuned else None

    def forward(self, rows: Tensor) -> Tensor:
        """Return [M, dim] for `rows` ([M] int64)."""
        values = self.values[rows]
        if self.offsets is not None:
            tuned = (rows < len(self.offsets)) & values.any(1)
            offsets = self.offsets.index_select(0, rows.where(tuned, 0))
            values = values + offsets * tuned[:, None]
        return values @ self.weight


def column_encoder(
    kind: Kind,
    column: pl.Series,
    *,
    n_train: int,
    dim: int,
    text: Callable[..., nn.Module],
    tuned: bool,
    generator: Generator,
) -> nn.Module:
    """Return a module that maps rows [M] to vectors [M, column_width]."""
    if kind == "numeric":
        return Numeric(column, n_train=n_train)
    if kind == "text":
        texts = column.cast(pl.String)
        with errors_under("text"):
            return text(texts=texts, n_train=n_train, dim=dim, generator=generator)
    if kind == "vector":
        return Vector(column, n_train=n_train, dim=dim, tuned=tuned, generator=generator)
    rows, values = _pairs(column)
    return Bag(rows, values, n=len(column), n_train=n_train, dim=dim, generator=generator)


def column_width(kind: Kind, dim: int) -> int:
    """Return how many numbers a column of that kind becomes."""
    return 2 if kind == "numeric" else dim


def _pairs(column: pl.Series) -> tuple[Tensor, Tensor]:
    """Return [m] rows and [m] numbers of their values, one or several per row."""
    rows = np.arange(len(column))
    if isinstance(column.dtype, pl.List):
        rows = rows.repeat(column.list.len().fill_null(0))
        column = pl.Series(column.to_arrow().flatten())
    names = column.cast(pl.String)
    # In the order of names, so that the order of rows does not matter.
    places = names.rank("dense").cast(pl.Int64)
    known = names.is_not_null().to_numpy()
    return torch.from_numpy(rows[known]), places.drop_nulls().to_torch()
