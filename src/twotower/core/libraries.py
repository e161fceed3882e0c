"""Libraries that only some commands need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from twotower.core.errors import ConfigError

__all__ = ["library"]


def library(module: str, extra: str) -> Any:
    """Return an imported module; raise ConfigError, naming the extra, if it is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"{extra}: {module.partition('.')[0]} is not installed; pip install 'twotower[{extra}]'"
        ) from error
