"""From overrides to a composed config, and from that to the object it describes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.utils import instantiate
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from twotower.config.baselines import with_baselines
from twotower.config.check import check
from twotower.config.overrides import known_choices, lenient, with_ids
from twotower.config.tree import CONF_DIR
from twotower.errors import ConfigError

__all__ = ["build", "build_part", "compose", "plain"]


def compose(config_name: str, overrides: Sequence[str]) -> dict[str, Any]:
    """The checked config as plain containers, every interpolation resolved.

    config_name: a file of the config tree, such as `train`; overrides as on the command line,
    without sweeps. Raises ConfigError naming everything that is wrong.
    """
    known, unknown = known_choices(with_baselines(with_ids(overrides)))
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(CONF_DIR), version_base="1.3"):
            config = hydra.compose(config_name, lenient(known))
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError("\n".join([*unknown, str(error)])) from error
    return plain(config, unknown)


def plain(config: Any, errors: Sequence[str] = ()) -> dict[str, Any]:
    """A composed config as plain containers, resolved and checked.

    errors: what is known to be wrong already. Raises ConfigError for these and for its own.
    """
    try:
        container = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        told = f"{error.full_key}: {error}".partition("\n")[0]
        raise ConfigError("\n".join([*errors, told])) from error
    assert isinstance(container, dict)
    checked = {str(key): value for key, value in container.items()}
    check(checked, errors)
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


def build_part(path: str, node: Any) -> Any:
    """The object of a part of Hydra's own config, such as `hydra.sweeper.search`.

    Raises ConfigError naming everything that is wrong in it.
    """
    container = OmegaConf.to_container(node, resolve=True)
    assert isinstance(container, dict)
    part = {str(key): value for key, value in container.items()}
    check(part, path=path)
    return build(part)
