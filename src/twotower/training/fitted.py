"""What comes out of a fit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl
import torch

from twotower.core.files import write_atomically
from twotower.model import TwoTower

__all__ = ["Fitted"]


@dataclass(frozen=True)
class Fitted:
    """A trained model, and how it came about.

    model: the weights of `best_epoch`, on the CPU.
    history: one row an epoch: `epoch` (from 1), `train/loss` and, with validation, `val/...`.
    best_epoch: the epoch with the best validation metric; the last one without validation.
    seconds: wall time of the whole fit.
    """

    model: TwoTower
    history: pl.DataFrame
    best_epoch: int
    seconds: float

    def save(self, path: Path) -> None:
        """Write all of it, at once or not at all."""
        content = {
            "weights": self.model.state_dict(),
            "history": self.history.to_dict(as_series=False),
            "best_epoch": self.best_epoch,
            "seconds": self.seconds,
        }
        write_atomically(path, lambda file: torch.save(content, file))

    @classmethod
    def load(cls, path: Path, model: TwoTower) -> Fitted:
        """What `save` wrote, its weights in `model`."""
        content = torch.load(path, weights_only=True, map_location="cpu")
        model.load_state_dict(content["weights"])
        history = pl.DataFrame(content["history"])
        return cls(model, history, content["best_epoch"], content["seconds"])

    @property
    def kept(self) -> dict[str, float]:
        """The metrics of `best_epoch`."""
        row = self.history.row(by_predicate=pl.col("epoch") == self.best_epoch, named=True)
        return {name: value for name, value in row.items() if name != "epoch"}
