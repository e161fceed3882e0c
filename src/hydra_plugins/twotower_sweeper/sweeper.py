"""The Hydra sweeper of twotower. Hydra imports it at every start, so it must import quickly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobStatus
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

__all__ = ["TwoTowerSweeper"]

_SEQUENTIAL = "BasicLauncher"


class TwoTowerSweeper(Sweeper):
    """Runs the trials of a multirun under one parent run, and reports them together."""

    def __init__(self, resume: bool, params: DictConfig | None, search: DictConfig) -> None:
        self._resume = resume
        self._params = {} if params is None else OmegaConf.to_container(params)
        self._search = search
        self._context: HydraContext | None = None
        self._config: DictConfig | None = None
        self._launcher: Launcher | None = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Called by Hydra."""
        from hydra.core.plugins import Plugins

        self._context, self._config = hydra_context, config
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Called by Hydra with the overrides of the command line."""
        from twotower import config as conf
        from twotower.core.errors import ConfigError, TwoTowerError
        from twotower.reporting.sweep.story import report_sweep
        from twotower.sweeping.sweep import Sweep
        from twotower.sweeping.sweep_result import SweepResult
        from twotower.sweeping.sweep_spec import SweepSpec
        from twotower.tracking.base import UNDELIVERED

        assert self._config is not None
        try:
            if not isinstance(self._resume, bool):
                raise ConfigError(
                    f"hydra.sweeper.resume: got {self._resume!r}; must be one of true, false"
                )
            source = conf.Source.of_job(self._config.hydra)
            fixed, axes = conf.axes(conf.with_params(arguments, self._params), source)
            search = conf.build_part("hydra.sweeper.search", self._search)
            spec = SweepSpec(
                folder=Path(self._config.hydra.sweep.dir),
                command=conf.command("train", *source.flags, "-m", *_typed(self._config)),
                source=(*source.flags, *source.searchpath),
                fixed=fixed,
                axes=axes,
                search=search,
                resume=self._resume,
            )
            results = []

            def report(result: SweepResult) -> None:
                results.append(result)
                report_sweep(result)

            table = Sweep(spec, self._compose, self._launch).run(report)
            runs = [results[0].run.id, *(trial.run_id for trial in table.results)]
            if not all(map(results[0].settings.tracking.is_delivered, runs)):
                raise SystemExit(UNDELIVERED)
            return table
        except TwoTowerError as error:
            raise SystemExit(f"twotower: {error}") from error

    def _compose(self, overrides: Sequence[str]) -> dict[str, Any]:
        from twotower import config as conf
        from twotower.core.errors import ConfigError

        assert self._context is not None
        assert self._config is not None
        lines = conf.lenient(overrides, conf.Source.of_job(self._config.hydra))
        try:
            config = self._context.config_loader.load_sweep_config(self._config, lines)
        except (HydraException, OmegaConfBaseException) as error:
            raise ConfigError(str(error)) from error
        with open_dict(config):
            del config["hydra"]
        return conf.plain(config)

    def _launch(self, lines: Sequence[Sequence[str]]) -> list[Exception | None]:
        from twotower import config as conf

        assert self._launcher is not None
        assert self._config is not None
        source = conf.Source.of_job(self._config.hydra)
        jobs = [
            [*conf.lenient(line, source), *self._bar(), conf.render("hydra.sweep.subdir", folder)]
            for *line, folder in lines
        ]
        returned = self._launcher.launch(jobs, initial_job_idx=0)
        return [job._return_value if job.status == JobStatus.FAILED else None for job in returned]

    def _bar(self) -> list[str]:
        """Turn off progress bars of parallel trials, which would overwrite each other."""
        sequential = type(self._launcher).__name__ == _SEQUENTIAL
        return [] if sequential else ["++trainer.progress_bar=false"]


def _typed(config: DictConfig) -> list[str]:
    """Return the overrides that were typed, without those that the command line adds."""
    typed = OmegaConf.to_container(config.hydra.overrides.task)
    hydra = OmegaConf.to_container(config.hydra.overrides.hydra)
    assert isinstance(typed, list)
    assert isinstance(hydra, list)
    folder = next((o for o in hydra if o.startswith("hydra.sweep.dir=")), None)
    own = (folder, "hydra.mode=MULTIRUN")
    return [*(o.removeprefix("++") for o in typed), *(o for o in hydra if o not in own)]
