"""Check the command line of `twotower train`, and build the arguments for Hydra."""

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

__all__ = ["launch"]

_MULTIRUN = "MULTIRUN"


def launch(parsed: Namespace) -> list[str]:
    """Return the arguments for a Hydra that starts within `Source.searched`: flags, then overrides.

    Raises:
        ConfigError: anything that can be found to be wrong before data is read.
    """
    source = conf.Source.of_flags(parsed)
    command = _typed(source, parsed)
    first, *others = conf.combinations(command.overrides, source)
    config = conf.compose_from(source, first)
    conf.build(config)
    require_writable_folder("output_dir", config["output_dir"])
    _, axes = conf.axes(command.overrides, source)
    if any(axis.choices is None for axis in axes):
        for ends in others:  # a search draws values between them
            conf.build(conf.compose_from(source, ends))
    overrides = conf.lenient(command.given, source)
    key = "hydra.sweep.dir" if command.sweeps else "hydra.run.dir"
    if (chosen := conf.hydra_folder(source, first, key)) is not None:
        require_writable_folder(key, chosen)
    if command.sweeps:
        place = conf.render("hydra.sweep.dir", conf.literal(str(_folder(source, config, command))))
        overrides = [place, *overrides]
    mode = ["--multirun"] if command.sweeps else []
    return [*source.flags_of_hydra, *mode, *overrides]


@dataclass(frozen=True)
class _Command:
    """given: overrides for Hydra. overrides: these, and the sweep that the config defines."""

    given: list[str]
    overrides: list[str]
    sweeps: bool


def _typed(source: conf.Source, parsed: Namespace) -> _Command:
    typed = conf.with_baselines(parsed.overrides)
    given = conf.with_repeats(typed)
    first, *_ = conf.combinations(given, source)
    hydra = conf.hydra_node(source, first)
    conf.check_hydra(hydra)
    sweeps = parsed.multirun or given != typed or hydra.get("mode") == _MULTIRUN
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


def _folder(source: conf.Source, config: Mapping[str, Any], command: _Command) -> Path:
    """Return the folder of the sweep, the same for the same sweep, so that it can resume."""
    fixed, axes = conf.axes(command.overrides, source)
    first, *_ = conf.combinations(command.overrides, source)
    search = conf.hydra_node(source, first).get("sweeper", {}).get("search") or {}
    id_ = sweep_id(
        config["tracking"].get("experiment_name", ""),
        conf.shared(source, fixed),
        [axis.key for axis in axes],
        search,
    )
    return Path(config["output_dir"], "sweeps", id_)
