"""The config tree: its folder, groups and choices, with those of installed plug-ins."""

from functools import cache
from pathlib import Path

import twotower
from twotower.config.plugins import Plugin, plugins

__all__ = [
    "CONF_DIR",
    "LIST_GROUP",
    "choices",
    "file_of",
    "has_choice",
    "installed",
    "is_group",
    "may_be_group",
]

_PACKAGE = Path(twotower.__file__).parent
# Inside an installed wheel, else at the top of the source tree.
CONF_DIR = next(
    path for path in (_PACKAGE / "conf", _PACKAGE.parents[1] / "conf") if path.is_dir()
).resolve()

LIST_GROUP = "baselines"  # the group of which a config takes a list
_HYDRA = "hydra"  # its groups have choices of Hydra's own, too


@cache
def installed() -> tuple[Plugin, ...]:
    """Return the installed plug-ins. Raises ConfigError if one of them cannot be used."""
    return plugins(CONF_DIR)


def _folders() -> list[Path]:
    return [CONF_DIR, *(plugin.folder for plugin in installed())]


def is_group(key: str) -> bool:
    """Return whether `key`, such as `tower` or `tower/encoder`, is a config group."""
    return may_be_group(key) and any((folder / key).is_dir() for folder in _folders())


def may_be_group(key: str) -> bool:
    """Return whether `key` has the form of a config group that is not one of Hydra's."""
    parts = key.split("/")
    return parts[0] != _HYDRA and all(part.isidentifier() for part in parts)


def choices(group: str) -> list[str]:
    """Return the names of the files in `group`, in order."""
    return sorted(path.stem for folder in _folders() for path in (folder / group).glob("*.yaml"))


def has_choice(group: str, name: str) -> bool:
    """Return whether `name` is a file anywhere below the group, as in `experiment=mine/first`."""
    return file_of(group, name) is not None


def file_of(group: str, name: str) -> Path | None:
    """Return the file of a choice; None if there is none."""
    paths = (folder / group / f"{name}.yaml" for folder in _folders())
    return next((path for path in paths if path.is_file()), None)
