"""The trainer: fits a model to a fold by Lightning, and picks the best epoch on validation."""

from __future__ import annotations

import logging
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from pytorch_lightning import Trainer as LightningTrainer
from pytorch_lightning.callbacks import Callback, Checkpoint, ModelCheckpoint
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.exceptions import (  # type: ignore[attr-defined]
    MisconfigurationException,
    SIGTERMException,
)
from torch import Tensor, nn
from torch.optim import Optimizer

from twotower.config import KeywordsOf
from twotower.core.errors import ConfigError, TrainingError
from twotower.loss import Loss, needs_negatives
from twotower.model import TwoTower
from twotower.negative_sampling import NegativeSampler, needs_other_rows
from twotower.training.batches import FoldBatches
from twotower.training.callbacks import EpochMetrics, LastCheckpoint, OnEpoch, Validate
from twotower.training.double_model import DoubleModel
from twotower.training.fitted import Fitted
from twotower.training.lightning_arguments import argument_errors
from twotower.training.module import Schedule, TwoTowerModule
from twotower.training.progress import ProgressBar, ProgressLines, can_show_a_bar
from twotower.training.stopping import Patience
from twotower.types import Fold

__all__ = ["Objective", "Trainer", "is_first_process"]

logger = logging.getLogger(__name__)


def is_first_process() -> bool:
    """Whether this is the process that tells and logs; of several, one is."""
    return bool(rank_zero_only.rank == 0)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Objective:
    """What is minimised, and how: handed unchanged to every fit of a run."""

    sampler: Callable[..., NegativeSampler]
    loss: Loss
    optimizer: Callable[[Iterable[Tensor]], Optimizer]


@dataclass(frozen=True)
class Trainer:
    """Settings of the training path; each is explained in conf/trainer."""

    max_epochs: PositiveInt
    batch_size: PositiveInt
    half_life: PositiveFloat | None
    l2: NonNegativeFloat
    decay: Annotated[float, Field(ge=0, le=1)]
    validate_every: PositiveInt
    patience: PositiveInt | None
    patience_steps: NonNegativeInt
    refit: bool
    accelerator: Literal["auto", "cpu", "gpu"]
    devices: PositiveInt | Literal["auto"]
    strategy: Literal["auto", "ddp"]
    precision: Literal["32-true", "16-mixed", "bf16-mixed", "64-true"]
    checkpoint_seconds: NonNegativeFloat
    progress_bar: bool
    lightning: Annotated[dict[str, Any], KeywordsOf(LightningTrainer)]

    def __post_init__(self) -> None:
        """Raises ConfigError for arguments of Lightning's Trainer that are not available."""
        errors = list(argument_errors(self.lightning))
        if errors:
            raise ConfigError("\n  ".join(errors))

    @staticmethod
    def conflicts(node: Mapping[str, Any], path: str) -> Iterator[str]:
        """Of the epochs that are trained one has to be validated."""
        every, most = node.get("validate_every"), node.get("max_epochs")
        if isinstance(every, int) and isinstance(most, int) and every > most:
            yield (
                f"{path}.validate_every: got {every}, but {path}.max_epochs={most}: no epoch "
                f"would be validated; valid are 1 to {most}"
            )

    def check(self, objective: Objective) -> None:
        """Raises ConfigError where no positive would have a negative, or a step would fail."""
        clips = self.lightning.get("gradient_clip_val") and self.precision.endswith("-mixed")
        optimizer = objective.optimizer([nn.Parameter(torch.zeros(1))]) if clips else None
        if getattr(optimizer, "_step_supports_amp_scaling", False):
            raise ConfigError(
                f"trainer.lightning.gradient_clip_val: with trainer.precision={self.precision} a "
                "fused optimizer clips no gradients; set optimizer.fused=false"
            )
        if (
            self.batch_size == 1
            and needs_negatives(objective.loss)
            and needs_other_rows(objective.sampler)
        ):
            raise ConfigError(
                "trainer.batch_size: got 1, but the negatives of negative_sampling are the "
                "positives of the other rows of a batch, and there would be none; must be 2 or "
                "more, or negative_sampling one that draws for itself, such as uniform"
            )

    def check_device(self) -> None:
        """Raises ConfigError where this machine lacks what the trainer asks for."""
        with _torch_as_it_was():
            self._lightning_trainer([], None, with_validation=False)

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
        title: str = "training",
        folder: Path | None = None,
    ) -> Fitted:
        """Train `model` on `fold`.

        With `validate` the best epoch by the metric `val/<monitor>` is kept, of those that are
        validated, and training stops after `patience` of them and `patience_steps` optimizer
        steps without a better one; without it the last epoch is. `epochs` are trained in place of
        `max_epochs`, with the step sizes of the first of these. Where `folder` is given, the same
        call goes on from the checkpoint that an earlier one left there, or gives back what it
        finished.
        Raises ConfigError as `check`, and TrainingError where the loss is not finite or no positive
        has a negative.
        """
        self.check(objective)
        with _kept_or_temporary(folder) as kept, _torch_as_it_was():
            finished, last = kept / "fitted.pt", kept / "last.ckpt"
            if finished.exists():
                return Fitted.load(finished, model)
            metrics = EpochMetrics(validate, on_epoch, fold.train_histories)
            callbacks: list[Callback] = [metrics]
            if self.progress_bar:
                progress = ProgressBar if can_show_a_bar() else ProgressLines
                callbacks.append(progress(title, f"val/{monitor}", metrics))
            best = stopping = None
            if validate is not None:
                best = _best_checkpoint(kept, f"val/{monitor}")
                callbacks.append(best)
                if self.patience is not None:
                    stopping = Patience(f"val/{monitor}", self.patience, self.patience_steps)
                    callbacks.append(stopping)
            if folder is not None:
                callbacks.append(LastCheckpoint(last, self.checkpoint_seconds, stopping))
            runner = self._lightning_trainer(callbacks, epochs, with_validation=best is not None)
            schedule = Schedule(self.max_epochs, self.decay)
            module = TwoTowerModule(model, objective.loss, objective.optimizer, self.l2, schedule)
            batches = FoldBatches(
                fold,
                objective.sampler,
                batch_size=self.batch_size,
                half_life=self.half_life,
                seed=seed,
                device=runner.strategy.root_device,
                history_length=model.history_length,
            )
            _run(runner, module, batches, last)
            fitted = _fitted(runner, module, metrics, best)
            if best is not None and is_first_process():
                _warn_of_unfinished_decay(schedule, fitted.best_epoch)
            if folder is not None and is_first_process():
                fitted.save(finished)
                for checkpoint in kept.glob("*.ckpt"):
                    checkpoint.unlink()
        return fitted

    def _lightning_trainer(
        self, callbacks: list[Callback], epochs: int | None, *, with_validation: bool
    ) -> LightningTrainer:
        logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
        # Not "gpu" or "auto", which take Apple's mps where there is one: it has no float64, which
        # draws are made of.
        on_gpu = self.accelerator == "gpu" or (
            self.accelerator == "auto" and torch.cuda.is_available()
        )
        if self.precision == "16-mixed" and not on_gpu:
            raise ConfigError(
                "trainer.precision: got 16-mixed, which needs a GPU; must be one of 32-true, "
                "bf16-mixed, 64-true on a CPU"
            )
        try:
            return LightningTrainer(
                max_epochs=epochs or self.max_epochs,
                accelerator="cuda" if on_gpu else "cpu",
                devices=self.devices,
                strategy=self.strategy,
                precision=None if self.precision == "64-true" else self.precision,
                plugins=DoubleModel() if self.precision == "64-true" else None,
                callbacks=callbacks,
                logger=False,
                enable_checkpointing=any(isinstance(c, Checkpoint) for c in callbacks),
                enable_progress_bar=False,
                enable_model_summary=False,
                limit_val_batches=None if with_validation else 0,
                check_val_every_n_epoch=self.validate_every,
                num_sanity_val_steps=0,
                reload_dataloaders_every_n_epochs=1,
                use_distributed_sampler=False,
                **self.lightning,
            )
        except (MisconfigurationException, ValueError, RuntimeError) as error:
            raise ConfigError(
                f"trainer: this machine cannot train with accelerator={self.accelerator} "
                f"devices={self.devices} strategy={self.strategy} precision={self.precision}: "
                f"{error}"
            ) from error


def _best_checkpoint(folder: Path, monitor: str) -> ModelCheckpoint:
    return ModelCheckpoint(
        folder,
        "best",
        monitor=monitor,
        mode="max",
        save_weights_only=True,
        enable_version_counter=False,
    )


def _fitted(
    runner: LightningTrainer,
    module: TwoTowerModule,
    metrics: EpochMetrics,
    best: ModelCheckpoint | None,
) -> Fitted:
    """What came out of a fit: the weights of `best`, or of the last epoch."""
    best_epoch = len(metrics.history)
    if best is not None:
        checkpoint = torch.load(best.best_model_path, weights_only=True)
        module.load_state_dict(checkpoint["state_dict"])
        best_epoch = checkpoint["epoch"] + 1  # Lightning counts from 0
        runner.strategy.barrier()  # the folder is of the first process, which removes it
    history = pl.DataFrame(metrics.history, infer_schema_length=None)
    return Fitted(module.model.cpu(), history, best_epoch, metrics.seconds)


def _warn_of_unfinished_decay(schedule: Schedule, best_epoch: int) -> None:
    """Where the selected epoch, and with it the refit, ends before the step size is 0."""
    factor = schedule.factor(best_epoch)
    if schedule.decay and factor > 0:
        logger.warning(
            "trainer.decay: the best epoch is %d of %d, where the step size is still %.2g of "
            "optimizer.lr; a refit stops there, too. To train until it is 0, set "
            "trainer.max_epochs=%d trainer.patience=null, or validate only the last epoch with "
            "trainer.validate_every=%d",
            best_epoch,
            schedule.epochs,
            factor,
            best_epoch,
            schedule.epochs,
        )


@contextmanager
def _kept_or_temporary(folder: Path | None) -> Iterator[Path]:
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="twotower-") as temporary:
            yield Path(temporary)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder


@contextmanager
def _torch_as_it_was() -> Iterator[None]:
    """Restores what Lightning's Trainer sets for the whole process."""
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        torch.backends.cudnn.benchmark = benchmark


def _run(
    runner: LightningTrainer, module: TwoTowerModule, batches: FoldBatches, checkpoint: Path
) -> None:
    """Fit, from `checkpoint` where it is there.

    Lightning turns a Ctrl-C into SystemExit, and this turns it back.
    """
    with warnings.catch_warnings():
        # Of Lightning's own use of torch: nothing that a user could change.
        warnings.filterwarnings("ignore", "`isinstance\\(treespec, LeafSpec\\)` is deprecated")
        # Of a fit that goes on: it is to be so.
        warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")
        try:
            runner.fit(
                module,
                datamodule=batches,
                ckpt_path=checkpoint if checkpoint.exists() else None,
                weights_only=True,
            )
        except RuntimeError as error:
            if "returned nan values" in str(error):  # by lightning.detect_anomaly
                raise TrainingError(f"training has diverged: {error}") from error
            raise
        except MisconfigurationException as error:  # such as a share of less than one batch
            raise ConfigError(f"trainer.lightning: {error}") from error
        except SystemExit as error:
            if isinstance(error.__context__, KeyboardInterrupt):
                raise KeyboardInterrupt from None
            if isinstance(error, SIGTERMException):  # of Lightning, which gives no exit code
                raise SystemExit(128 + signal.SIGTERM) from None
            raise
