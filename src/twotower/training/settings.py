"""The settings of training, and what follows from them alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from pytorch_lightning import Trainer as LightningTrainer
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger
from pytorch_lightning.profilers import Profiler
from torch import nn
from torch.optim import SparseAdam
from torch.optim.lr_scheduler import LRScheduler

from twotower.config import KeywordsOf
from twotower.core.component import rule
from twotower.core.errors import ErrorEntry
from twotower.training.checkpoints import Keep
from twotower.training.fused import why_callbacks_not_fused, why_objective_not_fused
from twotower.training.lightning_arguments import argument_errors
from twotower.training.objective import Objective
from twotower.training.outputs import output_errors, profiles
from twotower.training.scheduler import Schedule
from twotower.training.scheduler.none import ConstantRate

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
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

    def why_not_fused(self, objective: Objective) -> str | None:
        """Return why these settings do not allow the fused kernel; None if they do."""
        of_callbacks = why_callbacks_not_fused(self.callbacks)
        return of_callbacks or why_objective_not_fused(objective, self.precision, self.lightning)

    @property
    def repeats_command(self) -> bool:
        """Whether a fit starts further processes that run the command of this one again."""
        return self.devices != 1 or self.strategy != "auto"

    @property
    def placement(self) -> Mapping[str, Any]:
        """The arguments of Lightning's Trainer that say on how many devices it runs, and how."""
        return {"devices": self.devices, "strategy": self.strategy}

    def needs_fused(self, objective: Objective, why: str) -> ErrorEntry | None:
        """Return an error if only the fused kernel will do, which cannot be used since `why`."""
        if self.kernel == "fused":
            return ErrorEntry("trainer.kernel", "fused", f"but {why}", "must be auto or autograd")
        if isinstance(objective.optimizer([nn.Parameter(torch.zeros(1))]), SparseAdam):
            return ErrorEntry(
                "optimizer",
                problem=f"SparseAdam needs the fused kernel, but {why}",
                valid="must be another one, such as adam or adagrad",
            )
        return None

    @property
    def anneals(self) -> bool:
        """Whether the learning rate is lowest at the end of `max_epochs`."""
        schedule = self.schedule
        return schedule is not None and schedule.factor(self.max_epochs) < schedule.factor(0.0)

    @property
    def schedule(self) -> Schedule | None:
        """What sets the learning rate of each step; None where nothing does."""
        constant = isinstance(self.scheduler, ConstantRate)
        return self.scheduler if isinstance(self.scheduler, Schedule) and not constant else None

    @property
    def chunk_size(self) -> int:
        """Steps per call; 1 where Lightning counts calls to limit the batches of an epoch."""
        limits = ("limit_train_batches", "overfit_batches")
        limited = any(self.lightning.get(limit) is not None for limit in limits)
        return 1 if limited else self.steps_per_call

    @property
    def writes_files(self) -> bool:
        """Whether a fit may write files that outlive it."""
        keeps = self.keep_checkpoint != "none"
        return keeps or bool(self.callbacks or self.logger) or profiles(self.profiler)
