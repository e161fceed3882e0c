"""Training in float64."""

from __future__ import annotations

from typing import Any

from pytorch_lightning.plugins import DoublePrecision

__all__ = ["DoubleModel"]


class DoubleModel(DoublePrecision):
    """Lightning's float64, with batches left as they are: a model reads row numbers.

    Lightning converts inputs in place, and those of a batch are frozen.
    """

    def convert_input(self, data: Any) -> Any:
        """See DoublePrecision."""
        return data
