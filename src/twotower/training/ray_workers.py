"""Work in several workers of Ray Train, whose epochs and log lines reach this process."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from twotower.core.errors import ResourceError, TwoTowerError
from twotower.core.libraries import library
from twotower.training.epoch_metrics import OnEpoch
from twotower.training.further_processes import LostProcessError

__all__ = ["Workers", "error_of"]

_POLL_SECONDS = 0.1
Work = Callable[[OnEpoch], object]


@dataclass(frozen=True)
class Workers:
    """Workers of Ray Train.

    Args:
        number: How many.
        cpus: Of each.
        accelerator: `cpu`; `gpu`: each has one; `auto`: each has one if Ray has enough.
        address: Of a cluster; None: Ray is started here. A Ray that this process has joined already
            is used as it is.
        max_failures: How often the work starts again after workers died.
    """

    number: int
    cpus: int
    accelerator: Literal["auto", "cpu", "gpu"]
    address: str | None
    max_failures: int

    def resources(self) -> dict[str, float]:
        """Return what Ray has: {"CPU": cores, "GPU": devices}."""
        found: dict[str, float] = self._ray().cluster_resources()
        return found

    def run(self, work: Work, on_epoch: OnEpoch, folder: Path) -> None:
        """Call `work(on_epoch)` in each worker, as one process group, and wait for all.

        Args:
            work: Copied to the workers.
            on_epoch: Called here; what it raises ends the work. Workers get one of their own.
            folder: Where Ray keeps its notes, which all machines must see.

        Raises:
            TwoTowerError: One that a worker has raised.
            ResourceError: A worker died more than `max_failures` times.
        """
        ray = self._ray()
        channel = ray.remote(num_cpus=0)(_Channel).remote()
        runner = _Runner(self._trainer(ray, work, channel, folder))
        try:
            runner.start()
            ended = False
            while not ended:
                ended = not runner.is_alive()  # before the last messages are taken
                for kind, content in ray.get(channel.take.remote()):
                    _receive(kind, content, on_epoch)
                time.sleep(_POLL_SECONDS)
            runner.raise_error(ray)
        except BaseException:
            if os.getpid() in _started:
                _started.discard(os.getpid())
                ray.shutdown()
            else:  # workers that report to it end
                ray.kill(channel)
            raise
        ray.kill(channel)

    def _ray(self) -> Any:
        """Return the module `ray`, started or joined. It ends with this process."""
        ray = library("ray", "ray")
        if not ray.is_initialized():
            # Ray sends usage statistics unless they are disabled; a run must not without consent.
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            in_main_thread = threading.current_thread() is threading.main_thread()
            before = signal.getsignal(signal.SIGTERM)
            # Without an address Ray would join whatever cluster it finds on this machine.
            ray.init(
                address=self.address or "local",
                log_to_driver=False,
                logging_level=logging.WARNING,
                include_dashboard=False if self.address is None else None,
            )
            if in_main_thread:  # Ray replaces it
                signal.signal(signal.SIGTERM, before)
            _started.add(os.getpid())
        return ray

    def _trainer(self, ray: Any, work: Work, channel: Any, folder: Path) -> Any:
        """Return Ray's TorchTrainer."""
        train = library("ray.train", "ray")
        of_torch = library("ray.train.torch", "ray")
        gpus = ray.cluster_resources().get("GPU", 0)
        on_gpu = self.accelerator == "gpu" or (self.accelerator == "auto" and gpus >= self.number)
        return of_torch.TorchTrainer(
            partial(_in_worker, ray.put(work), channel, str(Path.cwd())),
            scaling_config=train.ScalingConfig(
                num_workers=self.number,
                use_gpu=on_gpu,
                resources_per_worker={"CPU": self.cpus, **({"GPU": 1} if on_gpu else {})},
            ),
            run_config=train.RunConfig(
                name="ray",
                storage_path=str(folder),
                failure_config=train.FailureConfig(max_failures=self.max_failures),
            ),
        )


_started: set[int] = set()  # this process, where it has started or joined Ray


class _Channel:
    """An actor that holds what workers report until the driver takes it."""

    def __init__(self) -> None:
        self._messages: list[tuple[str, Any]] = []

    def put(self, kind: str, content: Any) -> None:
        self._messages.append((kind, content))

    def take(self) -> list[tuple[str, Any]]:
        taken, self._messages = self._messages, []
        return taken


class _Runner(threading.Thread):
    """Runs a TorchTrainer, so that the main thread calls back and is interrupted at once."""

    def __init__(self, trainer: Any) -> None:
        super().__init__(name="ray-train", daemon=True)
        self._trainer = trainer
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._trainer.fit()
        except BaseException as error:
            self._error = error

    def raise_error(self, ray: Any) -> None:
        """Raise what the fit has raised, if anything."""
        if self._error is not None:
            raise error_of(self._error, ray) from self._error


def error_of(error: BaseException, ray: Any) -> BaseException:
    """Return ResourceError if workers died and none has raised; else `error`."""
    failures = list(getattr(error, "worker_failures", {}).values())
    died = [each for each in failures if isinstance(each, ray.exceptions.RayError)]
    lost = [each for each in failures if isinstance(_raised(each), LostProcessError)]
    if not failures or len(died) + len(lost) < len(failures):
        return error
    first = str(died[0]).strip().partition("\n")[0] if died else "its connections were closed"
    return ResourceError(
        f"trainer: a worker of Ray died: {first}; the same command resumes, and "
        "trainer.max_failures is how often workers start again by themselves"
    )


def _raised(failure: BaseException) -> BaseException:
    """Return what a worker has raised, which Ray wraps."""
    raised: BaseException = getattr(failure, "_base_exc", failure)
    return raised


def _receive(kind: str, content: Any, on_epoch: OnEpoch) -> None:
    if kind == "epoch":
        on_epoch(*content)
    elif kind == "error":
        raise content
    else:
        logger = logging.getLogger(content.name)
        if logger.isEnabledFor(content.levelno):
            logger.handle(content)


def _in_worker(work: Any, channel: Any, directory: str) -> None:
    """Do the work in a worker; the first one reports to the driver."""
    import ray
    import ray.train

    if Path(directory).is_dir():  # Ray starts workers in a folder of its own
        os.chdir(directory)

    def put(kind: str, content: Any) -> None:
        ray.get(channel.put.remote(kind, content))

    logger = logging.getLogger("twotower")
    first = ray.train.get_context().get_world_rank() == 0
    logger.setLevel(logging.INFO if first else logging.ERROR)
    logger.handlers = [_Forward(put)] if first else []
    try:
        ray.get(work)(lambda epoch, metrics: put("epoch", (epoch, dict(metrics))))
    except LostProcessError:  # Ray finds out which worker died, and may start all of them again
        raise
    except TwoTowerError as error:
        put("error", error)
        raise


class _Forward(logging.Handler):
    """Sends log records to the driver."""

    def __init__(self, put: Callable[[str, Any], None]) -> None:
        super().__init__()
        self._put = put

    def emit(self, record: logging.LogRecord) -> None:
        record.msg, record.args, record.exc_info = record.getMessage(), None, None
        self._put("log", record)
