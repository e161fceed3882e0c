"""Config folders outside the config tree: those of installed plug-ins, and of the user.

An installed package is a plug-in if it has an entry point in the group `twotower.plugins` that
names an importable package with a folder `conf`. That folder is laid out as the config tree, and
its files are choices next to the built-in ones. Nothing of the package is imported to find it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path

from twotower.core.errors import ConfigError

__all__ = ["GROUP", "Plugin", "plugins", "refuse_unused"]

GROUP = "twotower.plugins"
_CONF = "conf"


@dataclass(frozen=True)
class Plugin:
    """A plug-in that is installed.

    Attributes:
        name: of its entry point.
        folder: its config folder.
    """

    name: str
    folder: Path


def plugins(tree: Path) -> tuple[Plugin, ...]:
    """Return the installed plug-ins in order of their names.

    Args:
        tree: the config tree.

    Raises:
        ConfigError: one of them has no config folder, or a choice of a name that is taken.
    """
    found = {entry.name: _plugin(entry) for entry in entry_points(group=GROUP)}
    ordered = tuple(found[name] for name in sorted(found))
    for each in ordered:
        refuse_unused(each.folder, f"plug-in {each.name}", tree)
    for one, other in combinations(ordered, 2):
        if both := sorted(set(_files(one.folder)) & set(_files(other.folder))):
            raise ConfigError(
                f"plug-ins {one.name} and {other.name}: both have {both[0]}, of which one would be "
                "ignored; uninstall one of them"
            )
    return ordered


def refuse_unused(folder: Path, owner: str, tree: Path) -> None:
    """Raise ConfigError for a file that the config tree has too, with other content.

    The tree is searched first, so a changed copy of `loss/bce.yaml` would silently not be read.
    """
    for file in _files(tree):
        own = folder / file
        if own.is_file() and own.read_bytes() != (tree / file).read_bytes():
            raise ConfigError(
                f"{owner}: {own} is never read, since twotower has a file {file}; must have "
                "another name"
            )


def _plugin(entry: EntryPoint) -> Plugin:
    try:
        spec = find_spec(entry.value)
    except (ImportError, ValueError):
        spec = None
    for location in (spec.submodule_search_locations or ()) if spec is not None else ():
        if (folder := Path(location, _CONF)).is_dir():
            return Plugin(entry.name, folder.resolve())
    of = f" of {entry.dist.name} {entry.dist.version}" if entry.dist is not None else ""
    raise ConfigError(
        f"plug-in {entry.name}{of}: got {entry.value!r} as its entry point in {GROUP}; must be an "
        f"importable package with a folder {_CONF}"
    )


def _files(folder: Path) -> Iterator[Path]:
    return (path.relative_to(folder) for path in folder.rglob("*.yaml"))
