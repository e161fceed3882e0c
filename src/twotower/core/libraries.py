"""Libraries that only some commands need."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from twotower.core.errors import ConfigError

__all__ = ["is_installed", "library"]


def is_installed(module: str) -> bool:
    """Return whether a top-level module can be imported, without importing it."""
    return find_spec(module) is not None


def library(module: str, extra: str) -> Any:
    """Return an imported module; raise ConfigError, naming the extra, if it is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"{extra}: {module.partition('.')[0]} is not installed; pip install 'twotower[{extra}]'"
        ) from error
