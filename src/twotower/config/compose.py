"""From overrides to a composed config, and from that to the object it describes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from hydra.errors import HydraException
from omegaconf import OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from twotower.config.baselines import with_baselines
from twotower.config.check import check, errors_of
from twotower.config.decode import decodable, replace_at
from twotower.config.elsewhere import unmounted
from twotower.config.instantiate import TARGET, instantiate, instantiate_as
from twotower.config.kinds import Contract
from twotower.config.overrides import known_choices, lenient
from twotower.config.source import Source, searchpath_of
from twotower.config.targets import Targets
from twotower.config.tree import CONF_DIR
from twotower.config.typed_ids import with_ids
from twotower.core.errors import ConfigError
from twotower.core.secrets import remember

__all__ = [
    "build",
    "build_as",
    "build_part",
    "build_stored",
    "compose",
    "compose_from",
    "hydra_folder",
    "hydra_node",
    "hydra_value",
    "lines_of",
    "plain",
    "shared",
]

_T = TypeVar("_T")

_PARTS = {"hydra.sweeper.search": "twotower.sweeping.search.Search"}  # the class of each
# The class that is built from keys of a root config next to the one it names; see `build_as`.
_READERS = {"train": "twotower.sweeping.sweep_settings.SweepSettings"}


def compose(
    config_name: str, overrides: Sequence[str], config_dir: str | Path | None = None
) -> dict[str, Any]:
    """Return the checked config as plain containers, every interpolation resolved.

    An enclosing application's Hydra is left as it is.

    Args:
        config_name: a file of the config tree, such as `train`.
        overrides: as on the command line, without sweeps.
        config_dir: a folder of the user's with further choices.

    Raises:
        ConfigError: names everything that is wrong.
    """
    lines = lines_of(overrides)
    folder = None if config_dir is None else str(config_dir)
    source = Source(config_name, folder, searchpath=searchpath_of(lines))
    return compose_from(source, lines, config_name)


def lines_of(overrides: Sequence[str]) -> list[str]:
    """Return overrides passed from Python. Raise ConfigError unless it is a list of strings."""
    text = isinstance(overrides, str | bytes) or not isinstance(overrides, Sequence)
    if text or not all(isinstance(each, str) for each in overrides):
        raise ConfigError(
            f'overrides: got {overrides!r}; must be a list of strings, such as ["tower.emb_dim=32"]'
        )
    return list(overrides)


def compose_from(
    source: Source, overrides: Sequence[str], config_name: str = "train"
) -> dict[str, Any]:
    """Compose from any source, for the command `config_name`; see `compose`."""
    remember(list(overrides))
    known, unknown = known_choices(with_baselines(with_ids(overrides)), source)
    try:
        config = source.load(lenient(known, source))
    except (HydraException, OmegaConfBaseException) as error:
        reason = unmounted(str(error)) or str(error)
        raise ConfigError("\n".join([*unknown, reason])) from error
    with open_dict(config):
        del config["hydra"]
    return plain(config, unknown, config_name)


def hydra_node(source: Source, overrides: Sequence[str]) -> dict[str, Any]:
    """Hydra's own part of a config, unresolved; empty where nothing can be composed."""
    known, _ = known_choices(overrides, source)
    try:
        node = source.load(lenient(known, source)).hydra
    except (HydraException, OmegaConfBaseException):
        return {}
    container = OmegaConf.to_container(node)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def hydra_folder(source: Source, overrides: Sequence[str], key: str) -> str | None:
    """Return one of Hydra's folders, such as `hydra.run.dir`, resolved; None if it is not set."""
    try:
        folder = OmegaConf.select(source.load(lenient(overrides, source)), key)
    except (HydraException, OmegaConfBaseException):
        return None
    return None if folder is None else str(folder)


def hydra_value(source: Source, overrides: Sequence[str], key: str) -> Any:
    """Return a part of Hydra's own config, such as `hydra.sweeper.search`, for `build_part`."""
    return OmegaConf.select(source.load(lenient(overrides, source)), key)


def shared(source: Source, fixed: Sequence[str]) -> dict[str, Any]:
    """Return the part of a config that all trials of a sweep share; neither checked nor complete.

    fixed: the overrides without those that vary. A choice that exists only with a value that
    varies, such as `tower/encoder=gru` where `tower` does, is noted as it is written.
    """
    written: list[str] = []
    values = [o for o in fixed if not ("@" in o.partition("=")[0] or "/" in o.partition("=")[0])]
    try:
        config = source.load(lenient(fixed, source))
    except (HydraException, OmegaConfBaseException):
        written = sorted(set(fixed) - set(values))
        config = source.load(lenient(values, source))
    with open_dict(config):
        del config["hydra"]
    try:
        container = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException:  # it refers to a value that varies
        container = OmegaConf.to_container(config)
    assert isinstance(container, dict)
    return {**{str(key): value for key, value in container.items()}, "overrides": written}


def plain(config: Any, errors: Sequence[str] = (), config_name: str = "train") -> dict[str, Any]:
    """Return a composed config as plain containers, resolved and checked.

    errors: what is known to be wrong already. config_name: of the command, whose class it must
    describe. Raises ConfigError for these and for its own.
    """
    try:
        remember(OmegaConf.to_container(config, resolve=False))
        container = OmegaConf.to_container(config, resolve=True)
        remember(container)
    except OmegaConfBaseException as error:
        reason = f"{error.full_key}: {error}".partition("\n")[0]
        raise ConfigError("\n".join([*errors, reason])) from error
    assert isinstance(container, dict)
    checked = {str(key): value for key, value in container.items()}
    kind = Annotated[Any, Contract(_command(config_name))]
    readers = [Targets().locate(_READERS[config_name])] if config_name in _READERS else []
    if texts := dict(decodable(config)):
        wrong = errors_of(checked, kind, readers)
        for path, (text, decoded) in texts.items():
            key = ".".join(map(str, path))
            if any(entry.path == key and entry.got == text for entry in wrong):
                replace_at(checked, path, decoded)
    check(checked, errors, kind=kind, readers=readers)
    return checked


def build(config: Mapping[str, Any]) -> Any:
    """Build the object that a checked config describes; raise ConfigError if values do not fit."""
    return _built(config, Targets())


def build_as(target: type[_T], config: Mapping[str, Any]) -> _T:
    """Return a `target` made from the keys of a checked config that it takes.

    Raises:
        ConfigError: values do not fit.
    """
    made: _T = instantiate_as(target, config, Targets())
    return made


def build_part(path: str, node: Any) -> Any:
    """Build the object of a part of Hydra's own config, such as `hydra.sweeper.search`.

    Raises ConfigError naming everything that is wrong in it.
    """
    container = OmegaConf.to_container(node, resolve=True)
    assert isinstance(container, dict)
    part = {str(key): value for key, value in container.items()}
    check(part, path=path, kind=Annotated[Any, Contract(_PARTS[path])])
    return build(part)


def build_stored(
    path: str, node: Mapping[str, Any], kind: Any, allow_targets: Sequence[str]
) -> Any:
    """Build the object that the config of an artifact describes, which anybody may have written.

    The config may only name classes and functions of `twotower`, `torch.nn` and `allow_targets`,
    each of the kind that its place requires; interpolations in it are text.

    Args:
        path: where the node belongs, such as `tower`, for messages.
        node: plain containers, as `yaml.safe_load` reads them.
        kind: hint of what it must be.
        allow_targets: packages or modules that are trusted besides, such as `my_package`.

    Raises:
        ConfigError: naming everything that is wrong in it; nothing of it was called then.
    """
    targets = Targets.stored(allow_targets)
    check(node, path=path, kind=kind, targets=targets)
    return _built(node, targets)


def _built(config: Mapping[str, Any], targets: Targets) -> Any:
    try:
        return instantiate(config, targets)
    except ConfigError:
        raise
    except Exception as error:  # of any class that the config names
        reason = f"{type(error).__name__}: {error}"
        raise ConfigError(f"the config cannot be built: {reason}") from error


def _command(config_name: str) -> str:
    """Return the class that a config of that name describes."""
    lines = (CONF_DIR / f"{config_name}.yaml").read_text().splitlines()
    line = next(line for line in lines if line.startswith(TARGET))
    return line.partition(":")[2].strip()
