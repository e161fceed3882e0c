"""A batch of trials: sent to Ray, awaited, and ended together on Ctrl-C."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, configure_log, filter_overrides, setup_globals

from hydra_plugins.twotower_ray_launcher._ray import import_ray, start, thread_limits
from hydra_plugins.twotower_ray_launcher._trial import SweepJobs, failed, run_trial

if TYPE_CHECKING:
    from hydra_plugins.twotower_ray_launcher.launcher import RayLauncher

__all__ = ["launch"]

_log = logging.getLogger(__name__)


def launch(
    launcher: RayLauncher, job_overrides: Sequence[Sequence[str]], first: int
) -> list[JobReturn]:
    """Runs one trial for each of `job_overrides`, numbered from `first`; results in that order.

    Ray stays up afterwards, for the sweeper's next batch, and ends with this process.
    """
    ray = import_ray()
    setup_globals()
    hydra = launcher.config.hydra
    configure_log(hydra.hydra_logging, hydra.verbose)
    Path(hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
    needed = {"CPU": launcher.num_cpus, "GPU": launcher.num_gpus}
    start(ray, launcher.address, needed, launcher.init)
    _log.info("Launching %d trials on Ray, below %s", len(job_overrides), hydra.sweep.dir)
    trials = []
    try:
        trials += _submit(ray, launcher, job_overrides, first)
        return [
            _result(ray, trial, overrides)
            for trial, overrides in zip(trials, job_overrides, strict=True)
        ]
    except BaseException:  # Ctrl-C and SIGTERM as well
        _end(ray, trials, launcher.grace_s)
        raise


def _submit(
    ray: Any, launcher: RayLauncher, job_overrides: Sequence[Sequence[str]], first: int
) -> list[Any]:
    """References to the results to come; Ray starts a trial when its cores and GPUs are free."""
    sweep = ray.put(
        SweepJobs(
            hydra_context=launcher.hydra_context,
            task_function=launcher.task_function,
            config=launcher.config,
            singletons=Singleton.get_state(),
            directory=str(Path.cwd()),
        )
    )
    asked = (launcher.init.get("runtime_env") or {}).get("env_vars", {})
    options = {
        "num_cpus": launcher.num_cpus,
        "num_gpus": launcher.num_gpus,
        "max_retries": launcher.max_retries,
        "runtime_env": {"env_vars": {**thread_limits(launcher.num_cpus), **asked}},
        # null leaves it to Ray, which refuses some as None
        **{key: value for key, value in launcher.options.items() if value is not None},
    }
    task = ray.remote(**options)(run_trial)
    trials = []
    for number, overrides in enumerate(job_overrides, start=first):
        _log.info("\t#%d : %s", number, " ".join(filter_overrides(overrides)))
        named = task.options(name=f"trial {number}")  # before each line that it prints
        trials.append(named.remote(sweep, number, overrides))
    return trials


def _result(ray: Any, trial: Any, overrides: Sequence[str]) -> JobReturn:
    try:
        result: JobReturn = ray.get(trial)
    except Exception as error:  # the worker died, or the config of this trial does not compose
        return failed(overrides, error)
    return result


def _end(ray: Any, trials: list[Any], grace_s: float) -> None:
    """Interrupts what runs, waits so that trials can close their runs, then ends every worker."""
    try:
        for trial in trials:
            ray.cancel(trial)
        if trials:
            ray.wait(trials, num_returns=len(trials), timeout=grace_s)
    finally:
        ray.shutdown()
