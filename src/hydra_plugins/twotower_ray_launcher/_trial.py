"""One trial, in a worker of Ray."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from hydra_plugins.twotower_ray_launcher._ray import import_ray

__all__ = ["SweepJobs", "failed", "run_trial"]


@dataclass(frozen=True)
class SweepJobs:
    """What the trials of a sweep share. It is sent to each machine once."""

    hydra_context: HydraContext
    task_function: TaskFunction
    config: DictConfig
    singletons: dict[Any, Any]  # Hydra's own state: plug-ins, registered configs
    directory: str  # where the sweep was started: relative paths in a config start there


def run_trial(sweep: SweepJobs, number: int, overrides: Sequence[str]) -> JobReturn:
    """Composes the config of trial `number` and runs it; an error of the trial is in the result."""
    os.chdir(sweep.directory)
    _let_interrupts_through()
    setup_globals()
    Singleton.set_state(sweep.singletons)
    loader = sweep.hydra_context.config_loader
    config = loader.load_sweep_config(sweep.config, list(overrides))
    with open_dict(config):
        config.hydra.job.num = number
        config.hydra.job.id = f"{config.hydra.job.name}_{number}"
    result = run_job(
        task_function=sweep.task_function,
        config=config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
        hydra_context=sweep.hydra_context,
    )
    if result.status is JobStatus.FAILED:
        result.return_value = _portable(result._return_value)
    return result


def failed(overrides: Sequence[str], error: BaseException) -> JobReturn:
    """Return the result of a trial that did not return one, for example because its worker died."""
    result = JobReturn(overrides=list(overrides), status=JobStatus.FAILED)
    result.return_value = error
    return result


def _let_interrupts_through() -> None:
    """Undo that Ray starts its workers with SIGINT blocked.

    Ray interrupts a trial without the signal, but code that holds an interrupt back while it
    writes, as the tracking does, sends it to itself afterwards: blocked, it would be lost.
    """
    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _portable(error: BaseException) -> BaseException:
    """Return `error` with its traceback as a note, since tracebacks cannot be pickled.

    An error that cannot be pickled itself (it is rebuilt from its `args`) becomes a RuntimeError
    with the same text.
    """
    cloudpickle = import_ray().cloudpickle
    trace = "".join(traceback.format_exception(error))
    try:
        cloudpickle.loads(cloudpickle.dumps(error))
    except Exception:
        error = RuntimeError(f"{type(error).__qualname__}: {error}")
    error.add_note(f"In the trial's worker:\n{trace}")
    return error
