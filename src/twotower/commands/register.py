"""`twotower register`: the model of a run in MLflow's registry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from twotower.commands.best_of_sweep import best_run
from twotower.core.component import component
from twotower.core.console import terminal
from twotower.core.errors import ConfigError
from twotower.tracking.mlflow_tracking import MlflowTracking
from twotower.tracking.models import find_model
from twotower.tracking.registry import register_model, set_alias

__all__ = ["Register", "check_alias"]

_VERSION = re.compile(r"v?\d+|latest", re.IGNORECASE)
_BEST = "best-of-sweep"

Text = Annotated[str, Field(min_length=1)]


@component
@dataclass(frozen=True)
class Register:
    """Settings of the command; each is explained in conf/register.yaml."""

    run: Text
    sweep: Text
    name: Text
    alias: Text | None
    output_dir: str
    tracking: MlflowTracking

    def __post_init__(self) -> None:
        """Raise ConfigError for an alias that MLflow refuses."""
        check_alias("alias", self.alias)

    def __call__(self) -> str:
        """Register the model, and let the alias point at it. Return the version."""
        uri, experiment = self.tracking.uri, self.tracking.experiment_name
        run = best_run(uri, experiment, self.sweep) if self.run == _BEST else self.run
        found = find_model(uri, experiment, run)
        version = register_model(found, self.name)
        address = f"models:/{self.name}/{version}"
        if self.alias is not None:
            set_alias(uri, self.name, self.alias, version)
            address = f"models:/{self.name}@{self.alias}, version {version}"
        terminal().print(f"{found.title} is {address}")
        return version


def check_alias(key: str, alias: str | None) -> None:
    """Raise ConfigError, which names `key`, for an alias that MLflow would read as a version."""
    if alias is not None and (_VERSION.fullmatch(alias) or not re.fullmatch(r"[\w-]+", alias)):
        raise ConfigError(
            f"{key}: got {alias!r}; must be letters, digits, - and _, and no version, "
            "such as champion"
        )
