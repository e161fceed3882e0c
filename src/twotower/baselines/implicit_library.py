"""The `implicit` library, where it is installed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from twotower.core.errors import ConfigError

__all__ = ["import_implicit"]


def import_implicit(module: str, choice: str) -> Any:
    """Return `implicit.cpu.<module>`; raise ConfigError if the library is not installed."""
    try:
        return import_module(f"implicit.cpu.{module}")
    except ImportError as error:
        raise ConfigError(
            f"baselines.{choice} needs the `implicit` library, which is not installed: "
            f"pip install 'twotower[benchmark]', or leave `{choice}` out of `baselines`"
        ) from error
