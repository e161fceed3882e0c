"""Ray itself: imported late, started or joined, and held to what a trial may take."""

from __future__ import annotations

import importlib
import math
import os
from typing import Any

from hydra.errors import CompactHydraException

__all__ = ["LauncherError", "import_ray", "start", "thread_limits"]

# Each library that trials use has a pool of threads of its own, and a name for its size.
_THREAD_POOLS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
)


class LauncherError(CompactHydraException):
    """The launcher cannot run this sweep. The message names the key or what to install."""


def import_ray() -> Any:
    """Return the module `ray`; raise LauncherError if it is not installed."""
    try:
        return importlib.import_module("ray")
    except ModuleNotFoundError as error:
        raise LauncherError(
            "hydra/launcher=ray needs Ray, which is not installed: pip install 'twotower[ray]'"
        ) from error


def start(ray: Any, address: str | None, needed: dict[str, float], init: dict[str, Any]) -> None:
    """Starts Ray here (`address` null) or joins a cluster; does nothing where Ray runs already.

    Raises LauncherError where one trial needs more of a resource, {"CPU": cores, "GPU": devices},
    than a Ray of this machine has: Ray would wait for it without end. A cluster may still grow.
    """
    if not ray.is_initialized():
        # Ray sends usage statistics unless they are disabled; a sweep must not without consent.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        # Without an address Ray would join whatever cluster it finds on this machine.
        ray.init(address=address or "local", **init)
    if address is None:
        there = ray.cluster_resources()
        for key, name in (("num_cpus", "CPU"), ("num_gpus", "GPU")):
            has = there.get(name, 0.0)
            if needed[name] > has:
                raise LauncherError(
                    f"hydra.launcher.{key}: got {needed[name]:g} for a trial, and this machine has "
                    f"{has:g}; must be at most that, or set the address of a cluster that has more"
                )


def thread_limits(num_cpus: float) -> dict[str, str]:
    """Environment variables that hold a trial to its cores; at least one thread each.

    Trials that together run more threads than there are cores wait for one another: ten times
    slower and worse.
    """
    threads = str(max(1, math.floor(num_cpus)))
    return dict.fromkeys(_THREAD_POOLS, threads)
