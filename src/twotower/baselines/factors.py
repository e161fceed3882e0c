"""What the matrix factorisations of the `implicit` library share."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from torch import Tensor

from twotower.errors import ConfigError

__all__ = ["Factors", "import_implicit"]


def import_implicit(module: str, choice: str) -> Any:
    """`implicit.cpu.<module>`. Raises ConfigError where the library is not installed."""
    try:
        return import_module(f"implicit.cpu.{module}")
    except ImportError as error:
        raise ConfigError(
            f"baselines.{choice} needs the `implicit` library, which is not installed: "
            f"pip install 'twotower[benchmark]', or leave `{choice}` out of `baselines`"
        ) from error


@dataclass(frozen=True)
class Factors:
    """A scorer: the dot product of a user's and an item's vector."""

    users: Tensor  # [n_users, factors]
    items: Tensor  # [n_items, factors]

    @property
    def n_users(self) -> int:
        """See Scorer."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """See Scorer."""
        return len(self.items)

    def score_all(self, users: Tensor) -> Tensor:
        """[B, n_items]."""
        return self.users[users] @ self.items.T
