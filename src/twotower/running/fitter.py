"""The fits of a run: the one whose epoch validation chooses, and the one that is tested."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from twotower.core.errors import DataError
from twotower.evaluation import Evaluation
from twotower.model import TwoTower
from twotower.running.memory import lowerable, needs_of, require_memory
from twotower.running.trial_context import TrialContext
from twotower.tower.prior import TwoTowerFactory
from twotower.tracking.base import Run
from twotower.training import (
    CHECKPOINTS,
    PROFILES,
    Fitted,
    Objective,
    Trainer,
    is_first_process,
)
from twotower.types import Fold, Scorer

__all__ = ["Fitter"]

logger = logging.getLogger(__name__)

_SELECTION, _REFIT = "selection", "refit"  # folders of the fits


@dataclass(frozen=True)
class Fitter:
    """Trains the models of one run and logs their epochs to it.

    Args:
        tower: Makes both towers.
        trainer: Trains them.
        objective: What is minimized.
        evaluation: What chooses the best epoch.
        seed: Of the initial weights and the training.
        run: The tracked run.
        trial: The context of the run, which has the folder it resumes from; None: it cannot resume.
        folder: Of the files that fits write, each in a folder of its own.
        record: What the run depends on, for kept checkpoints.
        memory_gib: How much memory a fit may take, see `require_memory`.
    """

    tower: TwoTowerFactory
    trainer: Trainer
    objective: Objective
    evaluation: Evaluation
    seed: int
    run: Run
    trial: TrialContext | None
    folder: Path
    record: Mapping[str, Any]
    memory_gib: float | Literal["auto"] | None

    def select(self, fold: Fold) -> Fitted:
        """Train on the train part of `fold` and keep the epoch that is best on validation."""

        evaluation, shown = self.evaluation, self.trainer.progress_bar

        def validate(scorer: Scorer) -> Mapping[str, float]:
            title = "validation" if shown and is_first_process() else None
            return evaluation.measure(evaluation.recommend(scorer, fold, title), fold).values

        fitted = self.trainer.fit(
            self._model(fold, validates=True),
            fold,
            self.objective,
            seed=self.seed,
            validate=validate,
            monitor=self.evaluation.monitor_name,
            on_epoch=self._log_epoch,
            folder=self.trial.folder / _SELECTION if self.trial else None,
            files=self._files(_SELECTION),
            record=self.record,
        )
        self._log_files(_SELECTION)
        self._report_early_stop(fitted)
        # MLflow's tables show the last value of a metric, which must be that of the kept epoch.
        self.run.log_metrics(fitted.kept, step=fitted.history.height + 1)
        return fitted

    def final(self, fold: Fold, selected: Fitted | None) -> Fitted:
        """Train the model that is tested on all that comes before the test.

        Args:
            fold: Of the test part.
            selected: The fit that validation chose the number of epochs by; None without
                validation.
        """
        loss = "train/loss" if selected is None else "train/refit/loss"
        fitted = self.trainer.fit(
            self._model(fold, validates=False),
            fold,
            self.objective,
            seed=self.seed,
            epochs=selected.best_epoch if selected is not None else None,
            rates=selected.learning_rates if selected is not None else None,
            on_epoch=lambda epoch, metrics: self.run.log_metrics(
                {loss: metrics["train/loss"]}, step=epoch
            ),
            title="refit" if selected is not None else "training",
            folder=self.trial.folder / _REFIT if self.trial else None,
            files=self._files(_REFIT),
            record=self.record if selected is None else None,
        )
        self._log_files(_REFIT)
        return fitted

    def _files(self, name: str) -> Path | None:
        """Return the folder of what a fit writes; None where it writes nothing."""
        return self.folder / name if self.trainer.writes_files else None

    def _log_files(self, name: str) -> None:
        """Copy profiles and kept checkpoints to the tracked run; logs are in MLflow already."""
        for part, at in ((PROFILES, f"{PROFILES}/{name}"), (CHECKPOINTS, CHECKPOINTS)):
            if (folder := self.folder / name / part).is_dir():
                self.run.log_folder(folder, at)

    def _log_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        # MLflow's comparison page opens on the metric that was logged first.
        monitor = self.evaluation.val_monitor
        first = {monitor: metrics[monitor]} if monitor in metrics else {}
        self.run.log_metrics({**first, **metrics}, step=epoch)
        if self.trial is not None:
            self.trial.on_epoch(epoch, metrics)

    def _report_early_stop(self, fitted: Fitted) -> None:
        trainer, epochs = self.trainer, fitted.history.height
        if epochs == trainer.max_epochs:
            return
        waited = epochs - fitted.best_epoch
        if trainer.patience is None or waited < trainer.patience * trainer.validate_every:
            logger.info(
                "training stopped after epoch %d of %d: a callback of trainer.callbacks stopped it",
                epochs,
                trainer.max_epochs,
            )
        else:
            logger.info(
                "training stopped after epoch %d: no better %s since epoch %d "
                "(trainer.patience=%d, trainer.patience_steps=%d)",
                epochs,
                self.evaluation.val_monitor,
                fitted.best_epoch,
                trainer.patience,
                trainer.patience_steps,
            )

    def _model(self, fold: Fold, *, validates: bool) -> TwoTower:
        parts = (self.tower, self.trainer, self.objective)
        needs = needs_of(*parts, self.evaluation, fold, validates=validates)
        require_memory(needs, lowerable(*parts), self.memory_gib, self.trainer.accelerator)
        model = TwoTower.build(
            self.tower, users=fold.users, items=fold.items, seed=self.seed, train=fold.train
        )
        if model.needs_order and fold.train.timestamps is None:
            raise DataError(
                "tower: the user tower reads histories in order of time, and the log has no "
                "timestamps: set dataset.columns.timestamp, or dataset.order=file if its lines are "
                "in order of time, or choose an encoder that needs no order, such as "
                "tower/encoder=mean"
            )
        return model
