"""The trainer: fits a model to a fold and selects the best epoch on validation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from twotower.core.component import component
from twotower.core.errors import ConfigError, ErrorEntry
from twotower.loss import weight_error
from twotower.model import TwoTower
from twotower.tower import EmbeddingTower
from twotower.training.conflicts import conflicts
from twotower.training.epoch_metrics import OnEpoch, Validate
from twotower.training.fit import Fit, runner_of
from twotower.training.fitted import Fitted
from twotower.training.folders import existing_or_temporary
from twotower.training.lightning_trainer import restored_torch_settings
from twotower.training.objective import Objective
from twotower.training.settings import Settings
from twotower.types import Fold

__all__ = ["Trainer"]


@component
@dataclass(frozen=True)
class Trainer(Settings):
    """Fits models by its settings; conf/trainer explains each of them."""

    def conflicts(self, objective: Objective) -> list[ErrorEntry]:
        """Return why no positive would have a negative, or a step would fail."""
        errors = conflicts(
            objective,
            batch_size=self.batch_size,
            precision=self.precision,
            scheduler=self.scheduler,
            arguments=self.lightning,
        )
        why = self.why_not_fused(objective)
        if self.kernel == "autograd":
            why = "trainer.kernel is autograd"
        return [*errors, *([error] if why and (error := self.needs_fused(objective, why)) else [])]

    def fuses(self, objective: Objective, tower: Callable[..., nn.Module]) -> bool:
        """Return whether the fused kernel trains a model of this tower on this machine's CPU."""
        target = getattr(tower, "func", tower)
        fits = target is EmbeddingTower and self.accelerator == "cpu" and self.devices == 1
        return self.kernel != "autograd" and fits and self.why_not_fused(objective) is None

    def check_device(self) -> None:
        """Raise ConfigError if this machine lacks what the trainer asks for."""
        with restored_torch_settings(), existing_or_temporary(None) as folder:
            runner_of(self, [], None, folder, validates=False)

    def fit(
        self,
        model: TwoTower,
        fold: Fold,
        objective: Objective,
        *,
        seed: int,
        on_epoch: OnEpoch,
        validate: Validate | None = None,
        monitor: str | None = None,
        epochs: int | None = None,
        rates: Sequence[float] | None = None,
        title: str = "training",
        folder: Path | None = None,
        files: Path | None = None,
        record: Mapping[str, Any] | None = None,
    ) -> Fitted:
        """Train `model` on the train part of `fold`.

        With `validate`, the validated epoch with the best `val/<monitor>` is kept, and training
        stops after `patience` validations and `patience_steps` optimizer steps without a better
        one. Without it, the last epoch is kept.

        Args:
            model: Trained in place.
            fold: Train part, and holdout for the validation loss.
            objective: What is minimised.
            seed: Seed of order and negatives.
            on_epoch: Called as on_epoch(epoch, metrics) after each epoch, counted from 1.
            validate: Returns the metrics of a scorer on the validation part.
            monitor: Name of the metric that selects the epoch; higher is better.
            epochs: Train so many instead of `max_epochs`, with the learning rates of the first
                epochs of the full schedule.
            rates: The learning rate of each epoch in an earlier fit, to be repeated where the
                scheduler is one of torch's, which may depend on validation; see
                `Fitted.learning_rates`.
            title: Label of the progress display.
            folder: Where checkpoints are kept. The same call resumes from them, or returns the
                finished fit. None: a temporary folder.
            files: Folder of logs, profiles and kept checkpoints. None: a temporary folder.
            record: What the fit depends on, for its kept checkpoints. With it, the fit continues
                from `ckpt_path`; None: no checkpoint is kept, and none is continued from.

        Raises:
            ConfigError: See `conflicts`; and if the data has weights that the loss does not apply.
            TrainingError: If the loss is not finite, no positive has a negative, or a callback
                stops training before the first validation.
        """
        if wrong := self.conflicts(objective):
            raise ConfigError(wrong)
        if fold.train.weights is not None and (error := weight_error(objective.loss)):
            raise ConfigError(error)
        fit = Fit(self, model, fold, objective, seed, epochs, rates, title)
        return self._run(fit, on_epoch, validate, f"val/{monitor}", folder, files, record)

    def _run(
        self,
        fit: Fit,
        on_epoch: OnEpoch,
        validate: Validate | None,
        monitor: str,
        folder: Path | None,
        files: Path | None,
        record: Mapping[str, Any] | None,
    ) -> Fitted:
        return fit.run(on_epoch, validate, monitor, folder, files, record)
