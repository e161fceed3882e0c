"""The sweep of `twotower.sweep`, whose trials run in this process, without Hydra's job runner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twotower import config as conf
from twotower.config.launch import PlannedSweep, planned_sweep
from twotower.core.errors import ConfigError
from twotower.reporting.run_page import report_run
from twotower.sweeping.run_trial import run_trial
from twotower.sweeping.sweep import Sweep
from twotower.sweeping.sweep_spec import SweepSpec
from twotower.sweeping.trial_spec import TrialSpec

__all__ = ["sweep_of", "varying"]

_SEQUENTIAL = "BasicLauncher"


def varying(params: Mapping[str, Any]) -> list[str]:
    """Return the overrides that sweep over `params`; see `twotower.sweep`.

    Raises:
        ConfigError: `params` is no mapping, or a value is neither a list nor text.
    """
    if not isinstance(params, Mapping):
        raise ConfigError(
            f'params: got {params!r}; must be a mapping, such as {{"tower.emb_dim": [16, 32]}}'
        )
    return [f"{key}={_choice(key, values)}" for key, values in params.items()]


def _choice(key: str, values: Any) -> str:
    if isinstance(values, str):
        return values
    if isinstance(values, Mapping) or not hasattr(values, "__iter__") or not len(values):
        raise ConfigError(
            f"{key}: got {values!r}; must be a list of one or more values, such as [16, 32], or "
            'what follows = on the command line, such as "interval(0.01,1)"'
        )
    plain = [each.item() if hasattr(each, "item") else each for each in values]  # of NumPy
    return f"choice({','.join(conf.render_value(conf.literal(each)) for each in plain)})"


def sweep_of(overrides: Sequence[str], config_dir: str | Path | None) -> Sweep:
    """Return the sweep of `twotower train -m` with these overrides.

    Raises:
        ConfigError: An override is wrong, or selects a launcher of several processes.
    """
    folder = None if config_dir is None else str(config_dir)
    source = conf.Source("train", folder, searchpath=conf.searchpath_of(overrides))
    planned = planned_sweep(source, overrides)
    if planned.launcher.rpartition(".")[2] != _SEQUENTIAL:
        raise ConfigError(
            f"hydra/launcher: got {planned.launcher}; must be basic, since twotower.sweep runs its "
            "trials in this process (`twotower train -m` starts others)"
        )
    if not isinstance(planned.resume, bool):
        raise ConfigError(
            f"hydra.sweeper.resume: got {planned.resume!r}; must be one of true, false"
        )
    spec = SweepSpec(
        folder=planned.folder,
        command=conf.command("train", *source.flags, "-m", *overrides),
        source=(*source.flags, *source.searchpath),
        fixed=planned.fixed,
        axes=planned.axes,
        search=conf.build_part("hydra.sweeper.search", planned.search),
        resume=planned.resume,
    )
    trials = _Trials(source, planned, spec.search)
    return Sweep(spec, trials.compose, trials.launch)


@dataclass(frozen=True)
class _Trials:
    """Composes and runs the trials of a sweep."""

    source: conf.Source
    planned: PlannedSweep
    search: Any  # those that prune have `watch`
    _planned: dict[tuple[str, ...], dict[str, Any]] = field(default_factory=dict)

    def compose(self, overrides: Sequence[str]) -> dict[str, Any]:
        """Return the config of a trial, which is composed once to plan and to run it."""
        config = conf.compose_from(self.source, [*self.planned.hydra, *overrides])
        self._planned[tuple(overrides)] = config
        return deepcopy(config)

    def _composed(self, line: Sequence[str]) -> dict[str, Any]:
        planned = self._planned.pop(tuple(line), None)
        return self.compose(line) if planned is None else planned

    def launch(self, lines: Sequence[Sequence[str]]) -> list[Exception | None]:
        """Run trials one after the other; see `twotower.sweeping.runner.Launch`."""
        return [self._run(line, self.planned.folder / name) for *line, name in lines]

    def _run(self, line: Sequence[str], folder: Path) -> Exception | None:
        try:
            experiment = conf.build(self._composed(line))
            spec = TrialSpec.load(folder)
            assert spec is not None
            watch = None
            if spec.study is not None:
                monitor = experiment.evaluation.val_monitor
                watch = self.search.watch(self.planned.folder, spec.study["number"], monitor)
            run_trial(experiment, spec, folder, report_run, watch)
        except Exception as error:  # as a process of its own would end; the others run
            return error
        return None
