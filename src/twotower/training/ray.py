"""The trainer whose fits run in workers of Ray Train, on this machine or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import NonNegativeInt, PositiveInt

from twotower.core.component import component
from twotower.core.errors import ConfigError, ErrorEntry
from twotower.core.libraries import library
from twotower.training.epoch_metrics import OnEpoch, Validate
from twotower.training.fit import Fit
from twotower.training.fitted import Fitted
from twotower.training.folders import existing_or_temporary
from twotower.training.ray_workers import Workers
from twotower.training.trainer import Trainer

__all__ = ["RayTrainer"]


@component
@dataclass(frozen=True)
class RayTrainer(Trainer):
    """Fits models in workers of Ray Train; conf/trainer/ray.yaml explains the settings.

    Data, evaluation and tracking stay in the process that starts the run. Workers receive the fold
    and the model through Ray's object store, and leave their checkpoints and the finished fit in
    the run's folder.
    """

    devices: PositiveInt
    strategy: Literal["ddp"]
    address: str | None
    cpus_per_worker: PositiveInt
    max_failures: NonNegativeInt

    @property
    def repeats_command(self) -> bool:
        """See Settings."""
        return False

    @property
    def placement(self) -> Mapping[str, Any]:
        """See Settings; only a worker knows its place."""
        of_ray = library("ray.train.lightning", "ray")
        return {
            "strategy": of_ray.RayDDPStrategy(),
            "devices": "auto",
            "plugins": [of_ray.RayLightningEnvironment()],
        }

    def check_device(self) -> None:
        """Start or join Ray; raise ConfigError if it lacks what the trainer asks for.

        Ray would wait without end for what this machine does not have; a cluster may still grow.
        """
        there = self._workers.resources()
        if self.address is not None:
            return
        for key, name, asked in (
            ("devices", "CPU", self.devices * self.cpus_per_worker),
            ("devices", "GPU", self.devices if self.accelerator == "gpu" else 0),
        ):
            if asked > there.get(name, 0):
                raise ConfigError(
                    ErrorEntry(
                        f"trainer.{key}",
                        self.devices,
                        f"which takes {asked} {name}s, and Ray has {there.get(name, 0):g}",
                        "must be at most that, or trainer.address that of a cluster with more",
                    )
                )

    @property
    def _workers(self) -> Workers:
        return Workers(
            number=self.devices,
            cpus=self.cpus_per_worker,
            accelerator=self.accelerator,
            address=self.address,
            max_failures=self.max_failures,
        )

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
        with existing_or_temporary(folder) as kept, existing_or_temporary(files) as written:
            kept, written = kept.resolve(), written.resolve()
            if not fit.finished(kept).exists():
                work = _Work(fit.run, validate, monitor, kept, written, record)
                self._workers.run(work, on_epoch, kept)
            return Fitted.load(fit.finished(kept), fit.model)


@dataclass(frozen=True)
class _Work:
    """What each worker does: the fit, with the callback that reaches the driver."""

    run: Callable[..., Fitted]
    validate: Validate | None
    monitor: str
    folder: Path
    files: Path
    record: Mapping[str, Any] | None

    def __call__(self, on_epoch: OnEpoch) -> None:
        self.run(on_epoch, self.validate, self.monitor, self.folder, self.files, self.record)
