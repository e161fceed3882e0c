"""One fit: its callbacks, its kernel and its batches around a Lightning Trainer."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytorch_lightning import Trainer as LightningTrainer
from pytorch_lightning.callbacks import Callback

from twotower.core.errors import ConfigError
from twotower.model import TwoTower
from twotower.training.checkpoints import BestWeights, KeptCheckpoints, LastCheckpoint
from twotower.training.cost import Costs
from twotower.training.epoch_metrics import EpochMetrics, OnEpoch, Validate
from twotower.training.fitted import Fitted
from twotower.training.fold_batches import FoldBatches
from twotower.training.folders import CHECKPOINTS, existing_or_temporary
from twotower.training.fused import why_not_fused
from twotower.training.fused.module import FusedModule
from twotower.training.lightning_trainer import (
    is_first_process,
    lightning_trainer,
    restored_torch_settings,
    run_fit,
)
from twotower.training.module import TwoTowerModule
from twotower.training.objective import Objective
from twotower.training.outputs import log_profile, loggers_of_fit, profiler_of_fit
from twotower.training.progress import progress_callback
from twotower.training.scheduler import Schedule
from twotower.training.scheduler.by_epoch import EpochScheduler, RecordedRates
from twotower.training.scheduler.none import ConstantRate
from twotower.training.settings import Settings
from twotower.training.stopping import Patience
from twotower.training.threads import using_threads
from twotower.training.watched import Watched
from twotower.types import Fold

__all__ = ["Fit", "runner_of"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fit:
    """One fit of a model by the settings of a trainer; `Trainer.fit` explains the attributes."""

    settings: Settings
    model: TwoTower
    fold: Fold
    objective: Objective
    seed: int
    epochs: int | None
    rates: Sequence[float] | None
    title: str

    def run(
        self,
        on_epoch: OnEpoch,
        validate: Validate | None,
        monitor: str,
        folder: Path | None,
        files: Path | None,
        record: Mapping[str, Any] | None,
    ) -> Fitted:
        """Train, or resume, or return the finished fit; see `Trainer.fit`."""
        settings = self.settings
        with (
            existing_or_temporary(folder) as kept,
            existing_or_temporary(files) as written,
            restored_torch_settings(),
        ):
            finished, last = self.finished(kept), kept / "last.ckpt"
            if finished.exists():
                return Fitted.load(finished, self.model)
            watched = self._watched(on_epoch, validate, monitor)
            callbacks = [
                *self._callbacks(watched),
                *([LastCheckpoint(last, settings.checkpoint_seconds)] if folder else []),
                *self._kept(watched, written / CHECKPOINTS, record),
            ]
            runner = runner_of(
                settings, callbacks, self.epochs, written, validates=validate is not None
            )
            start = settings.ckpt_path if record is not None else None
            module, batches = self._module_and_batches(runner)
            with using_threads(settings.threads, self.model):
                run_fit(runner, module, batches, last if last.exists() else start)
            fitted = watched.fitted(module)
            if is_first_process():
                log_profile(written)
                if folder is not None:
                    fitted.save(finished)
                    last.unlink(missing_ok=True)
        return fitted

    @staticmethod
    def finished(folder: Path) -> Path:
        """Return the file of the finished fit in its folder."""
        return folder / "fitted.pt"

    def _watched(self, on_epoch: OnEpoch, validate: Validate | None, monitor: str) -> Watched:
        metrics = EpochMetrics(
            validate,
            on_epoch,
            self.fold.train_histories,
            records_rate=not isinstance(self.settings.scheduler, ConstantRate),
            callbacks_read=bool(self.settings.callbacks),
        )
        best = BestWeights(monitor, metrics) if validate is not None else None
        return Watched(monitor, Costs(), metrics, best)

    def _callbacks(self, watched: Watched) -> Iterator[Callback]:
        """Yield what watches a fit, in the order in which it is called.

        Lightning calls checkpoints after all others.
        """
        settings, monitor = self.settings, watched.monitor
        yield watched.costs
        yield watched.metrics
        if watched.best is not None:
            yield watched.best
        if not isinstance(settings.scheduler, Schedule):
            if self.rates is not None:
                yield RecordedRates(self.rates)
            else:
                yield EpochScheduler(settings.scheduler, monitor, watched.metrics)
        if settings.progress_bar:
            yield progress_callback(self.title, monitor, watched.metrics)
        yield from copy.deepcopy(list(settings.callbacks.values()))  # each fit has its own state
        if watched.best is not None and settings.patience is not None:
            yield Patience(monitor, settings.patience, settings.patience_steps)

    def _kept(
        self, watched: Watched, folder: Path, record: Mapping[str, Any] | None
    ) -> Iterator[Callback]:
        keep, seconds = self.settings.keep_checkpoint, self.settings.checkpoint_seconds
        if record is not None and keep != "none":
            yield KeptCheckpoints(folder, keep, seconds, record, watched.best)

    def _module_and_batches(self, runner: LightningTrainer) -> tuple[TwoTowerModule, FoldBatches]:
        settings, objective = self.settings, self.objective
        fused = self._is_fused(runner)
        module = (FusedModule if fused else TwoTowerModule)(
            self.model, objective.loss, objective.optimizer, settings.l2, settings.schedule
        )
        batches = FoldBatches(
            self.fold,
            objective.sampler,
            batch_size=settings.batch_size,
            half_life=settings.half_life,
            seed=self.seed,
            device=runner.strategy.root_device,
            history_length=self.model.history_length,
            chunk_size=settings.chunk_size if fused else None,
            repeats_first="overfit_batches" in settings.lightning,
        )
        return module, batches

    def _is_fused(self, runner: LightningTrainer) -> bool:
        """Return whether the fused kernel is used, and log why not.

        Raises:
            ConfigError: If it is asked for and cannot be used.
        """
        if self.settings.kernel == "autograd":
            return False
        why = self.settings.why_not_fused(self.objective)
        why = why or why_not_fused(self.model, runner.strategy.root_device, runner.world_size)
        if why and (error := self.settings.needs_fused(self.objective, why)):
            raise ConfigError(error)
        logger.info("trainer.kernel: %s", f"autograd, since {why}" if why else "fused")
        return not why


def runner_of(
    settings: Settings,
    callbacks: Sequence[Callback],
    epochs: int | None,
    folder: Path,
    *,
    validates: bool,
) -> LightningTrainer:
    """Return Lightning's Trainer for one fit.

    Args:
        settings: Of training.
        callbacks: What watches the fit.
        epochs: Train so many instead of `max_epochs`.
        folder: Where loggers, profilers and callbacks write.
        validates: Whether there is a validation.

    Raises:
        ConfigError: If this machine cannot train with these settings.
    """
    return lightning_trainer(
        max_epochs=epochs or settings.max_epochs,
        accelerator=settings.accelerator,
        placement=settings.placement,
        precision=settings.precision,
        callbacks=callbacks,
        loggers=loggers_of_fit(settings.logger, folder),
        profiler=profiler_of_fit(settings.profiler, folder),
        folder=folder,
        validate_every=settings.validate_every if validates else None,
        arguments=settings.lightning,
    )
