"""Lightning's Trainer: how it is made and run, and its errors in terms of the config."""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import Callback, Checkpoint, ProgressBar
from pytorch_lightning.loggers import Logger
from pytorch_lightning.profilers import Profiler
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.exceptions import (  # type: ignore[attr-defined]
    MisconfigurationException,
    SIGTERMException,
)

from twotower.core.errors import ConfigError, TrainingError
from twotower.training.double_model import DoubleModel
from twotower.training.fold_batches import FoldBatches
from twotower.training.further_processes import LostProcessError, ended_on_error, is_lost_connection
from twotower.training.module import TwoTowerModule
from twotower.training.saved_states import AtomicCheckpoints

__all__ = ["is_first_process", "lightning_trainer", "restored_torch_settings", "run_fit"]


def is_first_process() -> bool:
    """Return whether this process logs and writes; exactly one of several does."""
    return bool(rank_zero_only.rank == 0)  # type: ignore[attr-defined]


def lightning_trainer(
    *,
    max_epochs: int,
    accelerator: str,
    placement: Mapping[str, Any],
    precision: str,
    callbacks: Sequence[Callback],
    loggers: Sequence[Logger],
    profiler: Profiler | None,
    folder: Path,
    validate_every: int | None,
    arguments: Mapping[str, Any],
) -> Trainer:
    """Return Lightning's Trainer for one fit.

    Args:
        max_epochs: Epochs to train at most.
        accelerator: `cpu`, `gpu` or `auto`.
        placement: Lightning's `devices`, `strategy` and, where they need some, `plugins`.
        precision: One of Lightning's names; with `64-true` the model is float64 too.
        callbacks: Everything that watches the fit.
        loggers: Where the metrics of each epoch are logged.
        profiler: Measures where the time goes; None to measure nothing.
        folder: Where callbacks write that have no folder of their own.
        validate_every: Epochs from one validation to the next; None for no validation.
        arguments: Further arguments of Lightning's Trainer.

    Raises:
        ConfigError: If this machine cannot train with these settings.
    """
    for name in ("pytorch_lightning", "lightning_fabric.utilities.distributed"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("pytorch_lightning.callbacks").setLevel(logging.INFO)
    # Not "gpu" or "auto", which select Apple's mps where it exists: it has no float64, which
    # sampling needs.
    on_gpu = accelerator == "gpu" or (accelerator == "auto" and torch.cuda.is_available())
    if precision == "16-mixed" and not on_gpu:
        raise ConfigError(
            "trainer.precision: got 16-mixed, which needs a GPU; must be one of 32-true, "
            "bf16-mixed, 64-true on a CPU"
        )
    try:
        trainer = Trainer(
            max_epochs=max_epochs,
            accelerator="cuda" if on_gpu else "cpu",
            devices=placement["devices"],
            strategy=placement["strategy"],
            precision=None if precision == "64-true" else precision,  # type: ignore[arg-type]
            plugins=[
                AtomicCheckpoints(),
                *placement.get("plugins", ()),
                *([DoubleModel()] if precision == "64-true" else ()),
            ],
            callbacks=list(callbacks),
            logger=list(loggers),
            profiler=profiler,
            default_root_dir=folder,
            enable_checkpointing=any(isinstance(c, Checkpoint) for c in callbacks),
            enable_progress_bar=any(isinstance(c, ProgressBar) for c in callbacks),
            enable_model_summary=False,
            check_val_every_n_epoch=validate_every or 1,
            num_sanity_val_steps=0,
            reload_dataloaders_every_n_epochs=1,
            use_distributed_sampler=False,
            **arguments,
        )
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"trainer: this machine cannot train with accelerator={accelerator} "
            f"devices={placement['devices']} strategy={placement['strategy']} "
            f"precision={precision}: {error}"
        ) from error
    # Not as an argument, which overfit_batches would replace.
    trainer.limit_val_batches = 0.0 if validate_every is None else 1.0
    return trainer


def run_fit(
    trainer: Trainer, module: TwoTowerModule, batches: FoldBatches, checkpoint: Path | str | None
) -> None:
    """Fit `module`, from the state in `checkpoint` if there is one.

    Raises:
        TrainingError: If anomaly detection found NaN.
        LostProcessError: If another process of the run has ended.
        ConfigError: If an argument in `trainer.lightning` does not suit the data.
        KeyboardInterrupt: On Ctrl-C, which Lightning would turn into SystemExit.
    """
    with warnings.catch_warnings(), ended_on_error(trainer):
        # From Lightning's own use of torch: nothing that a user could change.
        warnings.filterwarnings("ignore", "`isinstance\\(treespec, LeafSpec\\)` is deprecated")
        # A resumed fit finds its own checkpoints and logs, and overwrites them.
        warnings.filterwarnings("ignore", ".* directory .* exists and is not empty")
        warnings.filterwarnings("ignore", "The number of training batches .* log_every_n_steps")
        # A short profile holds all steps of its cycle.
        warnings.filterwarnings("ignore", "The PyTorch Profiler default schedule will be overrid")
        warnings.filterwarnings("ignore", ".*Profiler clears events at the end of each cycle")
        try:
            trainer.fit(
                module,
                datamodule=batches,
                ckpt_path=checkpoint,
                weights_only=True,
            )
        except RuntimeError as error:
            if "returned nan values" in str(error):  # from lightning.detect_anomaly
                raise TrainingError(f"training has diverged: {error}") from error
            if trainer.world_size > 1 and is_lost_connection(error):
                raise LostProcessError(
                    "trainer: another process of this run has ended, by a signal or by an error "
                    "that it printed; the same command resumes the run"
                ) from error
            raise
        except MisconfigurationException as error:  # such as a share of less than one batch
            raise ConfigError(f"trainer: {error}") from error
        except SystemExit as error:
            if isinstance(error.__context__, KeyboardInterrupt):
                raise KeyboardInterrupt from None
            if isinstance(error, SIGTERMException):  # Lightning sets no exit code
                raise SystemExit(128 + signal.SIGTERM) from None
            raise


@contextmanager
def restored_torch_settings() -> Iterator[None]:
    """Restore, on exit, the process-wide settings that Lightning's Trainer changes."""
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
        torch.backends.cudnn.benchmark = benchmark
