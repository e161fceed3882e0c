"""Check the command line of `twotower train`, and plan the run or sweep that it asks for."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twotower import config as conf
from twotower.config.identity import is_elsewhere, sweep_id
from twotower.core.errors import ConfigError
from twotower.core.writable import require_writable_folder

__all__ = ["PlannedSweep", "launch", "planned_sweep"]

_MULTIRUN = "MULTIRUN"
_SWEEP_FOLDER = "hydra.sweep.dir"
_HYDRA = ("hydra.", "hydra/")  # begin the keys of Hydra's own part


def launch(parsed: Namespace) -> list[str]:
    """Return the arguments for a Hydra that starts within `Source.searched`: flags, then overrides.

    Raises:
        ConfigError: anything that can be found to be wrong before data is read.
    """
    source = conf.Source.of_flags(parsed)
    command = _typed(source, parsed.overrides, multirun=parsed.multirun)
    first, config = _checked(source, command)
    overrides = conf.lenient(command.given, source)
    key = _SWEEP_FOLDER if command.sweeps else "hydra.run.dir"
    if (chosen := conf.hydra_folder(source, first, key)) is not None:
        require_writable_folder(key, chosen)
    if command.sweeps:
        overrides = [_place(source, config, command), *overrides]
    mode = ["--multirun"] if command.sweeps else []
    return [*source.flags_of_hydra, *mode, *overrides]


@dataclass(frozen=True)
class PlannedSweep:
    """A sweep as `twotower train -m` runs it, for a caller that runs it without Hydra.

    Attributes:
        fixed: overrides that all trials share, without those of Hydra's own part.
        hydra: overrides of Hydra's own part.
        axes: the keys that vary.
        folder: of the sweep.
        launcher: the class of Hydra's launcher.
        search: the node of the search, for `build_part`.
        resume: whether to resume what an earlier start left in the folder.
    """

    fixed: list[str]
    hydra: list[str]
    axes: list[conf.Axis]
    folder: Path
    launcher: str
    search: Any
    resume: Any


def planned_sweep(source: conf.Source, overrides: Sequence[str]) -> PlannedSweep:
    """Return the sweep that `twotower train -m` with `overrides` runs.

    Raises:
        ConfigError: anything that can be found to be wrong before data is read.
    """
    command = _typed(source, overrides, multirun=True)
    first, config = _checked(source, command)
    fixed, axes = conf.axes(command.overrides, source)
    folder = conf.hydra_folder(source, [_place(source, config, command), *first], _SWEEP_FOLDER)
    assert folder is not None
    require_writable_folder(_SWEEP_FOLDER, folder)
    hydra = conf.hydra_node(source, first)
    return PlannedSweep(
        fixed=[line for line in fixed if not line.lstrip("+").startswith(_HYDRA)],
        hydra=[line for line in fixed if line.lstrip("+").startswith(_HYDRA)],
        axes=axes,
        folder=Path(folder),
        launcher=hydra["launcher"]["_target_"],
        search=conf.hydra_value(source, first, "hydra.sweeper.search"),
        resume=hydra["sweeper"]["resume"],
    )


def _checked(source: conf.Source, command: _Command) -> tuple[list[str], dict[str, Any]]:
    """Return the overrides of the first setting, and its config, once all settings are checked."""
    first, *others = conf.combinations(command.overrides, source)
    config = conf.compose_from(source, first)
    conf.build(config)
    require_writable_folder("output_dir", config["output_dir"])
    _, axes = conf.axes(command.overrides, source)
    if any(axis.choices is None for axis in axes):
        for ends in others:  # a search draws values between them
            conf.build(conf.compose_from(source, ends))
    return first, config


@dataclass(frozen=True)
class _Command:
    """given: overrides for Hydra. overrides: these, and the sweep that the config defines."""

    given: list[str]
    overrides: list[str]
    sweeps: bool


def _typed(source: conf.Source, words: Sequence[str], *, multirun: bool) -> _Command:
    typed = conf.with_baselines(words)
    given = conf.with_repeats(typed)
    first, *_ = conf.combinations(given, source)
    hydra = conf.hydra_node(source, first)
    conf.check_hydra(hydra)
    sweeps = multirun or given != typed or hydra.get("mode") == _MULTIRUN
    overrides = conf.with_params(given, hydra.get("sweeper", {}).get("params") or {})
    _, axes = conf.axes(given, source)
    if not sweeps:
        _refuse_several(axes, conf.axes(overrides, source)[1])
        overrides = given
    _refuse_same(conf.axes(overrides, source)[1])
    return _Command(given, overrides, sweeps)


def _refuse_several(axes: Sequence[conf.Axis], with_params: Sequence[conf.Axis]) -> None:
    if axes:
        raise ConfigError(
            f"{axes[0].key}: got several values, for which one run has no use; "
            "must be one of them, a list as [1,2], or -m for a sweep over them"
        )
    left = [axis.key for axis in with_params if axis.key not in conf.REPEATS]
    if left:
        raise ConfigError(
            f"hydra.sweeper.params: sweeps over {', '.join(left)}; use -m to run the sweep, or set "
            "one value for each"
        )


def _refuse_same(axes: Sequence[conf.Axis]) -> None:
    for axis in axes:
        if axis.key.startswith("hydra"):
            raise ConfigError(f"{axis.key}: got several values; trials share Hydra's own config")
        if is_elsewhere(axis.key):
            raise ConfigError(
                f"{axis.key}: got several values, but trials that differ in it alone are the same "
                "run; must be one value"
            )


def _place(source: conf.Source, config: Mapping[str, Any], command: _Command) -> str:
    """Return the override that sets the folder of the sweep: the same one resumes in the same."""
    fixed, axes = conf.axes(command.overrides, source)
    first, *_ = conf.combinations(command.overrides, source)
    search = conf.hydra_node(source, first).get("sweeper", {}).get("search") or {}
    id_ = sweep_id(
        config["tracking"].get("experiment_name", ""),
        conf.shared(source, fixed),
        [axis.key for axis in axes],
        search,
    )
    return conf.render(_SWEEP_FOLDER, conf.literal(str(Path(config["output_dir"], "sweeps", id_))))
