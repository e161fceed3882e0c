"""From overrides to a composed config, and from that to the object it describes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from hydra.utils import instantiate
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

import twotower
from twotower.config.check import check
from twotower.config.suggest import suggest
from twotower.errors import ConfigError

__all__ = ["CONF_DIR", "build", "combinations", "compose", "lenient", "plain"]

_PACKAGE = Path(twotower.__file__).parent
# Inside an installed wheel, else at the top of the source tree.
CONF_DIR = next(
    path for path in (_PACKAGE / "conf", _PACKAGE.parents[1] / "conf") if path.is_dir()
).resolve()

_OPTIONAL_GROUP = "experiment"  # the one that is null by default


def compose(config_name: str, overrides: Sequence[str]) -> dict[str, Any]:
    """The checked config as plain containers, every interpolation resolved.

    config_name: a file of the config tree, such as `train`; overrides as on the command line,
    without sweeps. Raises ConfigError naming everything that is wrong.
    """
    overrides = lenient(overrides)
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(CONF_DIR), version_base="1.3"):
            config = hydra.compose(config_name, overrides)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(str(error)) from error
    return plain(config)


def plain(config: Any) -> dict[str, Any]:
    """A composed config as plain containers, resolved and checked. Raises ConfigError."""
    try:
        container = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(str(error)) from error
    assert isinstance(container, dict)
    checked = {str(key): value for key, value in container.items()}
    check(checked)
    return checked


def build(config: dict[str, Any]) -> Any:
    """The object that a checked config describes. Raises ConfigError where values do not fit."""
    try:
        return instantiate(config, _convert_="all")
    except HydraException as error:
        cause: BaseException = error
        while cause.__cause__ is not None and not isinstance(cause, ConfigError):
            cause = cause.__cause__
        if isinstance(cause, ConfigError):
            raise cause from None
        raise ConfigError(f"the config cannot be built: {error}") from error


def lenient(overrides: Sequence[str]) -> list[str]:
    """Overrides that Hydra takes whatever key they name, so that `check` sees all mistakes at once.

    Hydra itself stops at the first unknown key, and accepts any with `+`. Raises ConfigError for a
    choice that no group has.
    """
    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except HydraException as error:
        raise ConfigError(str(error)) from error
    errors = [message for override in parsed for message in _unknown_choices(override)]
    if errors:
        raise ConfigError("\n".join(errors))
    return [_lenient(override) for override in parsed]


def combinations(overrides: Sequence[str]) -> list[list[str]]:
    """Overrides without sweeps that together hold every value of a sweep over `overrides`.

    Not their product: the first value of each, and in turn each other value of one. Ranges of a
    search (such as `interval(0, 1)`) are left out.
    """
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    axes = [_axis(override) for override in parsed]
    base = [axis[0] for axis in axes if axis]
    varied = [
        [*base[:place], value, *base[place + 1 :]]
        for place, axis in enumerate(axis for axis in axes if axis)
        for value in axis[1:]
    ]
    return [base, *varied]


def _axis(override: Override) -> list[str]:
    if not override.is_sweep_override():
        return [override.input_line or ""]
    if not override.is_discrete_sweep():
        return []
    key = (override.input_line or "").partition("=")[0]
    return [f"{key}={value}" for value in override.sweep_string_iterator()]


def _lenient(override: Override) -> str:
    line = override.input_line or ""
    adds = override.type in (OverrideType.CHANGE, OverrideType.ADD)
    key = override.key_or_group
    if not adds or key.startswith("hydra.") or override.package or "/" in key or _is_group(key):
        return line
    return "++" + line.lstrip("+")


def _is_group(key: str) -> bool:
    return (CONF_DIR / key).is_dir() and "." not in key


def _unknown_choices(override: Override) -> Iterator[str]:
    group = override.key_or_group
    if not _is_group(group) or override.type == OverrideType.DEL:
        return
    choices = sorted(path.stem for path in (CONF_DIR / group).glob("*.yaml"))
    for value in _values(override):
        # A choice may name a file anywhere below the group, as `experiment=mine/first` does.
        if (CONF_DIR / group / f"{value}.yaml").is_file():
            continue
        if value == "null" and group == _OPTIONAL_GROUP:
            continue
        yield f"{group}={value}: no such choice; {suggest(value, choices)}"


def _values(override: Override) -> list[str]:
    if override.is_sweep_override():
        if not override.is_discrete_sweep():
            return []
        values: list[Any] = [str(value) for value in override.sweep_string_iterator()]
    else:
        value = override.value()
        values = list(value) if isinstance(value, list) else [value]
    return ["null" if value is None else str(value) for value in values]
