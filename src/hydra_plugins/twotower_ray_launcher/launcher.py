"""`hydra/launcher=ray`: what Hydra finds. Light, since Hydra imports it at every start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

__all__ = ["RayLauncher"]


class RayLauncher(Launcher):
    """Runs each trial of a sweep as a Ray task; conf/hydra/launcher/ray.yaml has the values."""

    def __init__(
        self,
        address: str | None,
        num_cpus: float,
        num_gpus: float,
        max_retries: int,
        grace_s: float,
        init: DictConfig,
        options: DictConfig,
    ) -> None:
        self.address = address
        self.num_cpus = num_cpus
        self.num_gpus = num_gpus
        self.max_retries = max_retries
        self.grace_s = grace_s
        self.init: dict[str, Any] = _plain(init)
        self.options: dict[str, Any] = _plain(options)

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Takes what Hydra hands to every launcher before the first batch of trials."""
        self.hydra_context = hydra_context
        self.task_function = task_function
        self.config = config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Return one JobReturn per trial, in the order of `job_overrides`.

        A trial that fails has the status FAILED and its exception; the others run on.
        Raises LauncherError where Ray is missing or a trial can never fit.
        """
        from hydra_plugins.twotower_ray_launcher._sweep import launch

        return launch(self, job_overrides, initial_job_idx)


def _plain(node: DictConfig) -> dict[str, Any]:
    """Return a config node as the dict that Ray expects."""
    container = OmegaConf.to_container(node, resolve=True)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}
