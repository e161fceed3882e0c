"""The sources of a config: a root config, and the folders that are searched for it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Self

from hydra.core.config_loader import ConfigLoader
from hydra.core.object_type import ObjectType
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig

from twotower.config.loader import config_loader, own_rules, searched
from twotower.config.plugins import refuse_unused
from twotower.config.recipes import nested_groups
from twotower.config.tree import CONF_DIR, may_be_group
from twotower.core.errors import ConfigError

__all__ = ["TRAIN", "Source", "searchpath_of"]

_SEARCHPATH = "hydra.searchpath"  # the key that adds folders to those that are searched
_TRAIN = "train"


@dataclass(frozen=True)
class Source:
    """A root config, and the folders in which it and its groups are found.

    Args:
        name: file of the root config, without `.yaml`.
        config_dir: the user's folder, searched after the config tree (`--config-dir`).
        config_path: folder searched in place of the config tree (`--config-path`).
        searchpath: overrides of `hydra.searchpath`, at most one.

    Raises:
        ConfigError: a folder does not exist.
    """

    name: str
    config_dir: str | None = None
    config_path: str | None = None
    searchpath: tuple[str, ...] = ()
    _choices: dict[str, list[str]] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        for flag, folder in (("dir", self.config_dir), ("path", self.config_path)):
            if folder is not None and "://" not in folder and not Path(folder).is_dir():
                raise ConfigError(f"--config-{flag}: got {folder!r}; must be an existing folder")
        if self.config_dir is not None and self.config_path is None:
            refuse_unused(Path(self.config_dir), "--config-dir", CONF_DIR)

    @classmethod
    def of_flags(cls, parsed: Namespace) -> Self:
        """Return the source that Hydra's flags select."""
        return cls(
            name=(parsed.config_name or _TRAIN).removesuffix(".yaml"),
            config_dir=parsed.config_dir,
            config_path=_from_here(parsed.config_path),
            searchpath=searchpath_of(parsed.overrides),
        )

    @classmethod
    def of_job(cls, hydra_config: DictConfig) -> Self:
        """Return the source of a config that Hydra has composed, given its node `hydra`."""
        folders = {s.provider: s.path for s in hydra_config.runtime.config_sources}
        main = folders.get("main")
        return cls(
            name=hydra_config.job.config_name,
            config_dir=folders.get("command-line"),
            config_path=None if main == str(CONF_DIR) else main,
            searchpath=searchpath_of(hydra_config.overrides.hydra),
        )

    @property
    def flags(self) -> list[str]:
        """The flags of `twotower train` that select this source."""
        folder = [] if self.config_dir is None else ["--config-dir", self.config_dir]
        return [*folder, *self.flags_of_hydra]

    @property
    def flags_of_hydra(self) -> list[str]:
        """The flags for a Hydra that starts within `searched`."""
        flags = {
            "--config-path": self.config_path,
            "--config-name": None if self.name == _TRAIN else self.name,
        }
        return [word for flag, value in flags.items() if value for word in (flag, value)]

    def searched(self) -> AbstractContextManager[None]:
        """Let the Hydra that starts within search the folders of this source."""
        return searched(self._main, self._folder)

    def load(self, overrides: Sequence[str]) -> DictConfig:
        """Compose the config, with Hydra's node `hydra`; it is neither resolved nor checked.

        Raises:
            HydraException, OmegaConfBaseException: it cannot be composed.
        """
        with own_rules():
            return self._loader.load_configuration(
                self.name, list(overrides), run_mode=RunMode.RUN, from_shell=False
            )

    def is_group(self, key: str) -> bool:
        """Return whether `key`, such as `tower` or `tower/encoder`, is a config group."""
        return may_be_group(key) and bool(self.choices(key))

    def choices(self, group: str) -> list[str]:
        """Return the choices of `group` in order, those in subfolders as `mine/first`."""
        if group not in self._choices:
            self._choices[group] = sorted(self._found(group))
        return self._choices[group]

    def has_choice(self, group: str, name: str) -> bool:
        """Return whether `group` has the choice `name`."""
        return name in self.choices(group)

    def _found(self, group: str) -> Iterator[str]:
        yield from self._options(group, ObjectType.CONFIG)
        for folder in self._options(group, ObjectType.GROUP):
            if (path := f"{group}/{folder}") not in nested_groups():
                yield from (f"{folder}/{name}" for name in self._found(path))

    def _options(self, group: str, kind: ObjectType) -> list[str]:
        try:
            with own_rules():
                return self._loader.get_group_options(group, kind, self.name, list(self.searchpath))
        except HydraException:  # a root config that cannot be read is reported where it is loaded
            return []

    @cached_property
    def _loader(self) -> ConfigLoader:
        return config_loader(self._main, self._folder)

    @property
    def _main(self) -> str:
        main = self.config_path or str(CONF_DIR)
        return main if "://" in main else str(Path(main).absolute())

    @property
    def _folder(self) -> str | None:
        return None if self.config_dir is None else str(Path(self.config_dir).absolute())


TRAIN = Source(_TRAIN)


def searchpath_of(overrides: Sequence[str]) -> tuple[str, ...]:
    """Return the overrides that set `hydra.searchpath`."""
    return tuple(o for o in overrides if o.lstrip("+").startswith(f"{_SEARCHPATH}="))


def _from_here(path: str | None) -> str | None:
    """Make a relative path absolute, since Hydra resolves it from the folder of the program."""
    return path if path is None or "://" in path else str(Path(path).absolute())
