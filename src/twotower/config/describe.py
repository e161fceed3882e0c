"""The config tree as `twotower train --help` shows it: groups, choices, and keys with comments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from twotower.config.compose import compose_from
from twotower.config.overrides import lenient
from twotower.config.source import Source
from twotower.config.tree import LIST_GROUP

__all__ = ["describe"]

_WIDTH = 22
_HIDDEN = ("_target_:", "_partial_:", "_recursive_:", "# @package")
_OWN_OF_HYDRA = ("hydra/launcher", "hydra/sweeper")
_USAGE = """\
twotower train: train a two-tower recommender and log its run to MLflow

  twotower train tower.emb_dim=32                    one value
  twotower train experiment=notebook                 a whole recipe
  twotower train dataset=file dataset.path=log.csv preprocessing=none
                                                     your own interactions
  twotower train -m tower.emb_dim=16,32,64           a sweep: one run per value
  twotower train tower=history --help                the keys of another choice
  twotower train --config-dir mine tower=mine        choices of your own, from a folder
  twotower train --cfg job                           print the config and stop
  twotower train --info defaults-tree                where each part of it comes from
  twotower train --hydra-help                        further flags
  eval "$(twotower -sc install=bash)"                tab completion (bash, zsh or fish)
"""


def describe(source: Source, overrides: Sequence[str]) -> str:
    """Return the usage, every group with its choices, and the files that `overrides` select.

    Raises:
        ConfigError: the overrides select a choice that does not exist.
    """
    try:
        config = source.load(lenient(overrides, source))
    except (HydraException, OmegaConfBaseException):
        compose_from(source, overrides)  # which reports what is wrong
        raise
    runtime = config.hydra.runtime
    folders = [Path(s.path) for s in runtime.config_sources if s.schema == "file"]
    listed: list[str | None] = [str(key) for key in config.get(LIST_GROUP, {})]
    chosen = {LIST_GROUP: listed}
    chosen |= {str(key): [value] for key, value in runtime.choices.items()}
    chosen = dict(reversed(chosen.items()))  # in the order of the root config
    lines = [_USAGE, "== Choices: group=choice; * is selected ==", ""]
    for group in _groups(chosen):
        lines += _choices(source, folders, group, chosen[group])
    lines += ["== Values of what is selected: key=value ==", ""]
    lines += _file(folders, source.name, "at the top")
    for key, names in chosen.items():
        for name in names if not key.startswith("hydra/") else []:
            if name is not None:
                lines += _file(folders, f"{key.partition('@')[0]}/{name}", f"{key}={name}")
    return "\n".join(lines)


def _groups(chosen: Mapping[str, object]) -> list[str]:
    own = [key for key in chosen if not key.startswith("hydra/")]
    return [*own, *(group for group in _OWN_OF_HYDRA if group in chosen)]


def _choices(
    source: Source, folders: Sequence[Path], key: str, selected: Sequence[str | None]
) -> Iterator[str]:
    """Yield the group, and each of its choices with the first comment of its file."""
    group = key.partition("@")[0]
    yield key
    for name in source.choices(group):
        text = _text(folders, f"{group}/{name}")
        comments = (line[2:] for line in text.splitlines() if line.startswith("# "))
        path = f"{group}/{name}.yaml"  # a file may begin with its own
        lines = (line for line in comments if not line.endswith(path))
        about = next((line for line in lines if not line.startswith("@package")), "")
        mark = "*" if name in selected else " "
        yield f" {mark} {name:<{_WIDTH}} {about}".rstrip()
    yield ""


def _file(folders: Sequence[Path], name: str, title: str) -> Iterator[str]:
    """Yield the lines of a file, without targets, defaults and settings of Hydra."""
    text = _text(folders, name)
    if not text:
        return
    yield f"-- {title} --"
    skipping = False
    for line in text.splitlines():
        # A block ends with the next line that is not indented.
        skipping = line.startswith(("defaults:", "hydra:")) or (
            skipping and line.startswith((" ", "-"))
        )
        if not skipping and not line.lstrip().startswith(_HIDDEN):
            yield line
    yield ""


def _text(folders: Sequence[Path], name: str) -> str:
    paths = (folder / f"{name}.yaml" for folder in folders)
    return next((path.read_text(encoding="utf-8") for path in paths if path.is_file()), "")
