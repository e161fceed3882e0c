"""The contract that every text encoder keeps."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

__all__ = ["TextEncoder"]


class TextEncoder(Protocol):
    """A torch module that encodes the texts of the rows of a side.

    It is built from its config and, after `*`, `texts` (a pl.Series of Strings, one a row, null
    where unknown), `n_train` (what it learns of texts it learns of the first n_train alone), `dim`
    and `generator`, of which it draws its first weights. One text gives one vector, in any process.
    """

    def __call__(self, rows: Tensor) -> Tensor:
        """Vectors [M, dim] of `rows` ([M] int64); zeros where a text is unknown or empty."""
        ...
