"""From the name in `_target_` to the class or function that it names."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from twotower.core.errors import ConfigError
from twotower.core.imports import collection_paused

__all__ = ["Targets"]

_ALWAYS = ("twotower", "torch.nn")


@dataclass(frozen=True)
class Targets:
    """Which code a config may name.

    packages: those that a stored config may name, with all that is below them; None for a config
        that the user composes, which may name any.
    """

    packages: tuple[str, ...] | None = None

    @classmethod
    def stored(cls, allow_targets: Sequence[str]) -> Targets:
        """For a config that is read from an artifact: `twotower`, `torch.nn` and `allow_targets`.

        Raises ConfigError where `allow_targets` holds anything but names of packages or modules.
        """
        for name in allow_targets:
            if not all(part.isidentifier() for part in str(name).split(".")):
                raise ConfigError(
                    f"allow_targets: got {name!r}; must be the name of a package or module, "
                    "such as my_package"
                )
        return cls((*_ALWAYS, *allow_targets))

    def locate(self, name: Any) -> Any:
        """Return the object of that name.

        Importing is execution: a module outside `packages` is not imported, and an object that a
        module inside only imports from elsewhere is refused.

        Raises:
            ImportError: the object is not allowed; any other exception if there is no such object.
        """
        if self.packages is None:
            with collection_paused():
                return _imported(str(name))
        parts = str(name).split(".")
        if not self._holds(str(name)) or not all(part.isidentifier() for part in parts):
            raise ImportError(self._refusal)
        module, attribute = _split(parts)
        found = getattr(module, attribute)
        home = f"{getattr(found, '__module__', None)}.{attribute}"
        if not (inspect.isclass(found) or inspect.isfunction(found)) or not self._holds(home):
            raise ImportError(self._refusal)
        if getattr(found, "trusted_only", False):
            raise ImportError(f"{attribute} loads code of its own, which a stored config may not")
        return found

    def _holds(self, name: str) -> bool:
        return any(name.startswith(f"{package}.") for package in self.packages or ())

    @property
    def _refusal(self) -> str:
        return (
            f"a stored config may only name classes and functions of "
            f"{', '.join(self.packages or ())}; allow_targets=[package] adds one that you trust"
        )


def _imported(name: str) -> Any:
    """Import as many leading parts of `name` as needed, and follow the others as attributes.

    Unlike `hydra.utils.get_object`, it logs nothing, and unlike `pkgutil.resolve_name`, it raises
    the error of a module that cannot be imported.
    """
    parts = name.split(".")
    found: Any = import_module(parts[0])
    for end, part in enumerate(parts[1:], start=2):
        if isinstance(found, ModuleType) and not hasattr(found, part):
            found = import_module(".".join(parts[:end]))
        else:
            found = getattr(found, part)
    return found


def _split(parts: Sequence[str]) -> tuple[ModuleType, str]:
    """Split into the module and the name in it; raise ImportError if there is no such module."""
    module = ".".join(parts[:-1])
    for end in range(1, len(parts)):
        if find_spec(".".join(parts[:end])) is None:
            raise ModuleNotFoundError(f"No module named {'.'.join(parts[:end])!r}")
    return import_module(module), parts[-1]
