"""The config tree: its folder, groups and choices."""

from pathlib import Path

import twotower

__all__ = ["CONF_DIR", "LIST_GROUP", "choices", "has_choice", "is_group", "may_be_group"]

_PACKAGE = Path(twotower.__file__).parent
# Inside an installed wheel, else at the top of the source tree.
CONF_DIR = next(
    path for path in (_PACKAGE / "conf", _PACKAGE.parents[1] / "conf") if path.is_dir()
).resolve()

LIST_GROUP = "baselines"  # the group of which a config takes a list
_HYDRA = "hydra"  # its groups have choices of Hydra's own, too


def is_group(key: str) -> bool:
    """Return whether `key`, such as `tower` or `tower/encoder`, is a config group of twotower."""
    return may_be_group(key) and (CONF_DIR / key).is_dir()


def may_be_group(key: str) -> bool:
    """Return whether `key` has the form of a config group that is not one of Hydra's."""
    parts = key.split("/")
    return parts[0] != _HYDRA and all(part.isidentifier() for part in parts)


def choices(group: str) -> list[str]:
    """Return the names of the files in `group`, sorted."""
    return sorted(path.stem for path in (CONF_DIR / group).glob("*.yaml"))


def has_choice(group: str, name: str) -> bool:
    """Return whether `name` is a file anywhere below the group, as in `experiment=mine/first`."""
    return (CONF_DIR / group / f"{name}.yaml").is_file()
