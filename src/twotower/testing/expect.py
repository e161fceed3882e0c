"""Assertions with a message, which also hold where Python runs with -O."""

from __future__ import annotations

from torch import Tensor

__all__ = ["expect", "expect_close"]


def expect(condition: object, message: str) -> None:
    """Raise AssertionError with `message` unless `condition` is true."""
    if not condition:
        raise AssertionError(message)


def expect_close(one: Tensor, other: Tensor, message: str) -> None:
    """Raise AssertionError unless both are equal within the accuracy of their type."""
    tolerance = 1e-9 if one.dtype.itemsize > 4 else 1e-5
    same = one.shape == other.shape and bool(
        ((one - other).abs() <= tolerance * (1 + other.abs())).all()
    )
    expect(same, f"{message}: {one.tolist()} and {other.tolist()}")
