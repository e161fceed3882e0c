"""The contract of a text encoder."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Annotated, Protocol

from torch import Tensor, nn

from twotower.config import Contract

__all__ = ["TextEncoder", "TextFactory"]


class TextEncoder(Protocol):
    """A torch module that encodes the texts of the rows of a side.

    Its constructor takes the YAML keys, then, after `*`, `texts` (a pl.Series of String, one per
    row, null where unknown), `n_train` (the first n_train rows are train; vocabularies must be
    learned from them alone), `dim` and `generator`, from which it must draw all its initial
    weights. Equal texts must get equal vectors, in any process.
    """

    @abstractmethod
    def __call__(self, rows: Tensor) -> Tensor:
        """Return vectors [M, dim] for `rows` ([M] int64); zeros if a text is unknown or empty."""
        ...


# What a node of the group `tower/text` is instantiated as.
TextFactory = Annotated[
    Callable[..., nn.Module], Contract(TextEncoder, given=("texts", "n_train", "dim", "generator"))
]
