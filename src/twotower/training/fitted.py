"""The result of a fit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl
import torch

from twotower.model import TwoTower
from twotower.training.cost import Cost
from twotower.training.saved_states import save_state

__all__ = ["Fitted"]


@dataclass(frozen=True)
class Fitted:
    """A trained model and the record of its training.

    Attributes:
        model: The weights of `best_epoch`, on the CPU.
        history: One row per epoch: `epoch` (from 1), `train/loss` and, with validation, `val/...`.
        best_epoch: The epoch with the best validation metric; the last one without validation.
        cost: Seconds and positives of the whole fit.
        warnings: What the user should know about the fit, one sentence each.
    """

    model: TwoTower
    history: pl.DataFrame
    best_epoch: int
    cost: Cost
    warnings: tuple[str, ...] = ()

    def save(self, path: Path) -> None:
        """Write the fit to `path`, atomically."""
        content = {
            "weights": self.model.state_dict(),
            "history": self.history.to_dict(as_series=False),
            "best_epoch": self.best_epoch,
            "cost": asdict(self.cost),
            "warnings": list(self.warnings),
        }
        save_state(content, path)

    @classmethod
    def load(cls, path: Path, model: TwoTower) -> Fitted:
        """Return what `save` wrote, with its weights loaded into `model`."""
        content = torch.load(path, weights_only=True, map_location="cpu")
        model.load_state_dict(content["weights"])
        return cls(
            model=model,
            history=pl.DataFrame(content["history"]),
            best_epoch=content["best_epoch"],
            cost=Cost(**content["cost"]),
            warnings=tuple(content["warnings"]),
        )

    @property
    def seconds(self) -> float:
        """Wall time of the whole fit."""
        return self.cost.seconds

    @property
    def learning_rates(self) -> list[float] | None:
        """The learning rate at the start of each epoch; None where it was constant."""
        return self.history["train/lr"].to_list() if "train/lr" in self.history else None

    @property
    def kept(self) -> dict[str, float]:
        """The metrics of `best_epoch`."""
        row = self.history.row(by_predicate=pl.col("epoch") == self.best_epoch, named=True)
        return {name: value for name, value in row.items() if name != "epoch"}
