"""The trainer: fits a model to a fold and selects the best epoch on validation."""

from __future__ import annotations

import copy
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
import torch
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from pytorch_lightning import Trainer as LightningTrainer
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger
from pytorch_lightning.profilers import Profiler
from torch.optim.lr_scheduler import LRScheduler

from twotower.config import KeywordsOf
from twotower.core.component import component, rule
from twotower.core.errors import ConfigError, ErrorEntry, TrainingError
from twotower.loss import weight_error
from twotower.model import TwoTower
from twotower.training.checkpoints import BestWeights, Keep, KeptCheckpoints, LastCheckpoint
from twotower.training.conflicts import conflicts
from twotower.training.cost import Costs
from twotower.training.epoch_metrics import EpochMetrics, OnEpoch, Validate
from twotower.training.fitted import Fitted
from twotower.training.fold_batches import FoldBatches
from twotower.training.fused import why_callbacks_not_fused, why_not_fused, why_objective_not_fused
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
from twotower.training.outputs import (
    log_profile,
    loggers_of_fit,
    output_errors,
    profiler_of_fit,
    profiles,
)
from twotower.training.progress import progress_callback
from twotower.training.scheduler import Schedule
from twotower.training.scheduler.by_epoch import EpochScheduler, RecordedRates
from twotower.training.scheduler.none import ConstantRate
from twotower.training.stopping import Patience, unfinished_schedule
from twotower.training.threads import using_threads
from twotower.types import Fold

__all__ = ["CHECKPOINTS", "Trainer"]

logger = logging.getLogger(__name__)

CHECKPOINTS = "checkpoints"  # folder of the kept ones, below that of a fit


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
    keep_checkpoint: Keep
    ckpt_path: str | None
    callbacks: dict[str, Callback]
    logger: dict[str, Callable[..., Logger]]
    profiler: Callable[..., Profiler]
    lightning: Annotated[dict[str, Any], KeywordsOf(LightningTrainer)]

    @staticmethod
    @rule
    def arguments_work(lightning: dict[str, Any]) -> Iterator[ErrorEntry]:
        """Yield an error for each argument of Lightning's Trainer that is not available."""
        yield from argument_errors(lightning)

    @staticmethod
    @rule
    def outputs_work(
        logger: dict[str, Callable[..., Logger]], profiler: Callable[..., Profiler]
    ) -> Iterator[ErrorEntry]:
        """Yield an error for each logger, and for the profiler, that cannot be made."""
        yield from output_errors(logger, profiler)

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
        why = self._why_not_fused(objective)
        return [*errors, *([_not_fused(why)] if self.kernel == "fused" and why else [])]

    def _why_not_fused(self, objective: Objective) -> str | None:
        of_callbacks = why_callbacks_not_fused(self.callbacks)
        return of_callbacks or why_objective_not_fused(objective, self.precision, self.lightning)

    def _is_fused(
        self, model: TwoTower, objective: Objective, device: torch.device, processes: int
    ) -> bool:
        """Return whether the fused kernel is used, and log why not.

        Raises:
            ConfigError: If it is asked for and cannot be used.
        """
        if self.kernel == "autograd":
            return False
        why = self._why_not_fused(objective)
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
        limits = ("limit_train_batches", "overfit_batches")
        limited = any(self.lightning.get(limit) is not None for limit in limits)
        return 1 if limited else self.steps_per_call

    @property
    def writes_files(self) -> bool:
        """Whether a fit may write files that outlive it."""
        keeps = self.keep_checkpoint != "none"
        return keeps or bool(self.callbacks or self.logger) or profiles(self.profiler)

    def check_device(self) -> None:
        """Raise ConfigError if this machine lacks what the trainer asks for."""
        with restored_torch_settings(), _existing_or_temporary(None) as folder:
            self._lightning_trainer([], None, folder, validates=False)

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
        with (
            _existing_or_temporary(folder) as kept,
            _existing_or_temporary(files) as written,
            restored_torch_settings(),
        ):
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
            watched = Watched(f"val/{monitor}", Costs(), metrics, best)
            callbacks = self._callbacks(watched, title=title, rates=rates)
            if folder is not None:
                callbacks.append(LastCheckpoint(last, self.checkpoint_seconds))
            if record is not None and self.keep_checkpoint != "none":
                kept_in, seconds = written / CHECKPOINTS, self.checkpoint_seconds
                callbacks.append(
                    KeptCheckpoints(kept_in, self.keep_checkpoint, seconds, record, watched.best)
                )
            runner = self._lightning_trainer(
                callbacks, epochs, written, validates=validate is not None
            )
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
                repeats_first="overfit_batches" in self.lightning,
            )
            start = self.ckpt_path if record is not None else None
            with using_threads(self.threads, model):
                run_fit(runner, module, batches, last if last.exists() else start)
            fitted = _fitted(module, watched)
            if is_first_process():
                log_profile(written)
                if folder is not None:
                    fitted.save(finished)
                    last.unlink(missing_ok=True)
        return fitted

    def _callbacks(
        self, watched: Watched, *, title: str, rates: Sequence[float] | None
    ) -> list[Callback]:
        """Return what watches a fit, in the order in which it is called.

        Lightning calls checkpoints after all others.
        """
        callbacks: list[Callback] = [watched.costs, watched.metrics]
        if watched.best is not None:
            callbacks.append(watched.best)
        if not isinstance(self.scheduler, Schedule):
            callbacks.append(
                RecordedRates(rates)
                if rates is not None
                else EpochScheduler(self.scheduler, watched.monitor, watched.metrics)
            )
        if self.progress_bar:
            callbacks.append(progress_callback(title, watched.monitor, watched.metrics))
        callbacks += copy.deepcopy(list(self.callbacks.values()))  # each fit has a state of its own
        if watched.best is not None and self.patience is not None:
            callbacks.append(Patience(watched.monitor, self.patience, self.patience_steps))
        return callbacks

    def _lightning_trainer(
        self, callbacks: list[Callback], epochs: int | None, folder: Path, *, validates: bool
    ) -> LightningTrainer:
        return lightning_trainer(
            max_epochs=epochs or self.max_epochs,
            accelerator=self.accelerator,
            devices=self.devices,
            strategy=self.strategy,
            precision=self.precision,
            callbacks=callbacks,
            loggers=loggers_of_fit(self.logger, folder),
            profiler=profiler_of_fit(self.profiler, folder),
            folder=folder,
            validate_every=self.validate_every if validates else None,
            arguments=self.lightning,
        )


def _not_fused(why: str) -> ErrorEntry:
    return ErrorEntry("trainer.kernel", "fused", f"but {why}", "must be auto or autograd")


@dataclass(frozen=True)
class Watched:
    """What a fit is read from once it has ended.

    Attributes:
        monitor: Metric that selects the epoch, such as `val/ndcg_at_10`.
        best: The weights of that epoch; None without validation.
    """

    monitor: str
    costs: Costs
    metrics: EpochMetrics
    best: BestWeights | None


def _fitted(module: TwoTowerModule, watched: Watched) -> Fitted:
    """Return the fit with the weights of the best epoch, or of the last one."""
    metrics, best = watched.metrics, watched.best
    best_epoch, warnings = len(metrics.history), metrics.warnings
    if best is not None:
        if not best.epoch:
            raise TrainingError(
                f"training ended after epoch {best_epoch}, before the first validation; set a "
                "smaller trainer.validate_every, or let trainer.callbacks stop later"
            )
        module.load_state_dict(best.weights)
        best_epoch = best.epoch
        schedule = module.schedule
        warning = None if schedule is None else unfinished_schedule(schedule, best_epoch)
        if warning is not None:
            warnings.append(warning)
            if is_first_process():
                logger.warning(warning)
    history = pl.DataFrame(metrics.history, infer_schema_length=None)
    return Fitted(module.model.cpu(), history, best_epoch, watched.costs.cost, tuple(warnings))


@contextmanager
def _existing_or_temporary(folder: Path | None) -> Iterator[Path]:
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="twotower-") as temporary:
            yield Path(temporary)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
