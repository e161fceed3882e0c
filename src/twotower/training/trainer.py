"""The trainer: fits a model to a fold and selects the best epoch on validation."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
import torch
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from pytorch_lightning import Trainer as LightningTrainer
from pytorch_lightning.callbacks import Callback
from torch.optim.lr_scheduler import LRScheduler

from twotower.config import KeywordsOf
from twotower.core.component import component, rule
from twotower.core.errors import ConfigError, ErrorEntry
from twotower.loss import weight_error
from twotower.model import TwoTower
from twotower.training.checkpoints import BestWeights, LastCheckpoint
from twotower.training.conflicts import conflicts
from twotower.training.epoch_metrics import EpochMetrics, OnEpoch, Validate
from twotower.training.fitted import Fitted
from twotower.training.fold_batches import FoldBatches
from twotower.training.fused import why_not_fused, why_objective_not_fused
from twotower.training.fused.module import FusedModule
from twotower.training.lightning_arguments import argument_errors
from twotower.training.lightning_trainer import (
    is_first_process,
    lightning_trainer,
    restored_torch_settings,
    run_fit,
)
from twotower.training.module import TwoTowerModule
from twotower.training.objective import Objective
from twotower.training.progress import progress_callback
from twotower.training.scheduler import Schedule
from twotower.training.scheduler.by_epoch import EpochScheduler, RecordedRates
from twotower.training.scheduler.none import ConstantRate
from twotower.training.stopping import Patience, unfinished_schedule
from twotower.training.threads import using_threads
from twotower.types import Fold

__all__ = ["Trainer"]

logger = logging.getLogger(__name__)


@component
@dataclass(frozen=True)
class Trainer:
    """Settings of training; conf/trainer explains each of them."""

    max_epochs: PositiveInt
    batch_size: PositiveInt
    half_life: PositiveFloat | None
    l2: NonNegativeFloat
    scheduler: Schedule | Callable[..., LRScheduler]
    validate_every: PositiveInt
    patience: PositiveInt | None
    patience_steps: NonNegativeInt
    refit: bool
    accelerator: Literal["auto", "cpu", "gpu"]
    devices: PositiveInt | Literal["auto"]
    strategy: Literal["auto", "ddp"]
    threads: PositiveInt | Literal["auto"]
    precision: Literal["32-true", "16-mixed", "bf16-mixed", "64-true"]
    kernel: Literal["auto", "fused", "autograd"]
    steps_per_call: PositiveInt
    checkpoint_seconds: NonNegativeFloat
    progress_bar: bool
    lightning: Annotated[dict[str, Any], KeywordsOf(LightningTrainer)]

    @staticmethod
    @rule
    def arguments_work(lightning: dict[str, Any]) -> Iterator[ErrorEntry]:
        """Yield an error for each argument of Lightning's Trainer that is not available."""
        yield from argument_errors(lightning)

    @staticmethod
    @rule
    def an_epoch_is_validated(validate_every: int, max_epochs: int) -> Iterator[ErrorEntry]:
        """Yield an error if no trained epoch would be validated."""
        if validate_every > max_epochs:
            wrong = f"but max_epochs={max_epochs}, so no epoch would be validated"
            yield ErrorEntry(
                "validate_every", validate_every, wrong, f"must be from 1 to {max_epochs}"
            )

    def conflicts(self, objective: Objective) -> list[ErrorEntry]:
        """Return why no positive would have a negative, or a step would fail."""
        errors = conflicts(
            objective,
            batch_size=self.batch_size,
            precision=self.precision,
            scheduler=self.scheduler,
            arguments=self.lightning,
        )
        why = why_objective_not_fused(objective, self.precision, self.lightning)
        return [*errors, *([_not_fused(why)] if self.kernel == "fused" and why else [])]

    def _is_fused(
        self, model: TwoTower, objective: Objective, device: torch.device, processes: int
    ) -> bool:
        """Return whether the fused kernel is used, and log why not.

        Raises:
            ConfigError: If it is asked for and cannot be used.
        """
        if self.kernel == "autograd":
            return False
        why = why_objective_not_fused(objective, self.precision, self.lightning)
        why = why or why_not_fused(model, device, processes)
        if why and self.kernel == "fused":
            raise ConfigError(_not_fused(why))
        logger.info("trainer.kernel: %s", f"autograd, since {why}" if why else "fused")
        return not why

    @property
    def anneals(self) -> bool:
        """Whether the learning rate is lowest at the end of `max_epochs`."""
        schedule = self._schedule
        return schedule is not None and schedule.factor(self.max_epochs) < schedule.factor(0.0)

    @property
    def _schedule(self) -> Schedule | None:
        """What sets the learning rate of each step; None where nothing does."""
        constant = isinstance(self.scheduler, ConstantRate)
        return self.scheduler if isinstance(self.scheduler, Schedule) and not constant else None

    @property
    def _chunk_size(self) -> int:
        """Steps per call; 1 where Lightning counts calls to limit the batches of an epoch."""
        limited = self.lightning.get("limit_train_batches") is not None
        return 1 if limited else self.steps_per_call

    def check_device(self) -> None:
        """Raise ConfigError if this machine lacks what the trainer asks for."""
        with restored_torch_settings():
            self._lightning_trainer([], None, validates=False)

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

        Raises:
            ConfigError: See `conflicts`; and if the data has weights that the loss does not apply.
            TrainingError: If the loss is not finite or no positive has a negative.
        """
        if wrong := self.conflicts(objective):
            raise ConfigError(wrong)
        if fold.train.weights is not None and (error := weight_error(objective.loss)):
            raise ConfigError(error)
        with _kept_or_temporary(folder) as kept, restored_torch_settings():
            finished, last = kept / "fitted.pt", kept / "last.ckpt"
            if finished.exists():
                return Fitted.load(finished, model)
            metrics = EpochMetrics(
                validate,
                on_epoch,
                fold.train_histories,
                records_rate=not isinstance(self.scheduler, ConstantRate),
            )
            best = BestWeights(f"val/{monitor}", metrics) if validate is not None else None
            watching = self._callbacks(
                metrics,
                best,
                monitor=f"val/{monitor}",
                title=title,
                rates=rates,
                last=last if folder is not None else None,
            )
            runner = self._lightning_trainer(watching, epochs, validates=validate is not None)
            device = runner.strategy.root_device
            fused = self._is_fused(model, objective, device, runner.world_size)
            module = (FusedModule if fused else TwoTowerModule)(
                model, objective.loss, objective.optimizer, self.l2, self._schedule
            )
            batches = FoldBatches(
                fold,
                objective.sampler,
                batch_size=self.batch_size,
                half_life=self.half_life,
                seed=seed,
                device=device,
                history_length=model.history_length,
                chunk_size=self._chunk_size if fused else None,
            )
            with using_threads(self.threads, model):
                run_fit(runner, module, batches, last)
            fitted = _fitted(module, metrics, best)
            if folder is not None and is_first_process():
                fitted.save(finished)
                for checkpoint in kept.glob("*.ckpt"):
                    checkpoint.unlink()
        return fitted

    def _callbacks(
        self,
        metrics: EpochMetrics,
        best: BestWeights | None,
        *,
        monitor: str,
        title: str,
        rates: Sequence[float] | None,
        last: Path | None,
    ) -> list[Callback]:
        """Return what watches a fit, in the order in which it is called.

        Lightning calls `Patience` and `LastCheckpoint` after all others.
        """
        callbacks: list[Callback] = [metrics]
        if best is not None:
            callbacks.append(best)
        if not isinstance(self.scheduler, Schedule):
            callbacks.append(
                RecordedRates(rates)
                if rates is not None
                else EpochScheduler(self.scheduler, monitor, metrics)
            )
        if self.progress_bar:
            callbacks.append(progress_callback(title, monitor, metrics))
        stopping = None
        if best is not None and self.patience is not None:
            stopping = Patience(monitor, self.patience, self.patience_steps)
            callbacks.append(stopping)
        if last is not None:
            callbacks.append(LastCheckpoint(last, self.checkpoint_seconds, stopping))
        return callbacks

    def _lightning_trainer(
        self, callbacks: list[Callback], epochs: int | None, *, validates: bool
    ) -> LightningTrainer:
        return lightning_trainer(
            max_epochs=epochs or self.max_epochs,
            accelerator=self.accelerator,
            devices=self.devices,
            strategy=self.strategy,
            precision=self.precision,
            callbacks=callbacks,
            validate_every=self.validate_every if validates else None,
            arguments=self.lightning,
        )


def _not_fused(why: str) -> ErrorEntry:
    return ErrorEntry("trainer.kernel", "fused", f"but {why}", "must be auto or autograd")


def _fitted(module: TwoTowerModule, metrics: EpochMetrics, best: BestWeights | None) -> Fitted:
    """Return the fit with the weights of `best`, or of the last epoch."""
    best_epoch, warnings = len(metrics.history), metrics.warnings
    if best is not None:
        module.load_state_dict(best.weights)
        best_epoch = best.epoch
        schedule = module.schedule
        warning = None if schedule is None else unfinished_schedule(schedule, best_epoch)
        if warning is not None:
            warnings.append(warning)
            if is_first_process():
                logger.warning(warning)
    history = pl.DataFrame(metrics.history, infer_schema_length=None)
    return Fitted(module.model.cpu(), history, best_epoch, metrics.seconds, tuple(warnings))


@contextmanager
def _kept_or_temporary(folder: Path | None) -> Iterator[Path]:
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="twotower-") as temporary:
            yield Path(temporary)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
