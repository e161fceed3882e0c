"""`twotower promote`: an alias moves to a challenger that is shown to be no worse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from twotower.commands.compare import Compare
from twotower.commands.register import Text, check_alias
from twotower.comparison import Comparison
from twotower.core.component import component
from twotower.core.console import terminal
from twotower.core.errors import ConfigError, DataError, RunNotFoundError
from twotower.reporting.comparison import print_compared
from twotower.tracking.load import FoundRun
from twotower.tracking.mlflow_tracking import MlflowTracking
from twotower.tracking.models import find_model
from twotower.tracking.registry import register_model, set_alias

__all__ = ["Promote"]

_SETTING, _SHORT_ID = "trial.setting", 8  # as `twotower compare` names models


@component
@dataclass(frozen=True)
class Promote:
    """Settings of the command; each is explained in conf/promote.yaml."""

    run: Text
    name: Text
    alias: Text
    part: Literal["validation", "test"]
    metric: str | None
    output_dir: str
    comparison: Comparison
    tracking: MlflowTracking

    def __post_init__(self) -> None:
        """Raise ConfigError for an alias that MLflow refuses."""
        check_alias("alias", self.alias)

    def __call__(self) -> str:
        """Compare, and move the alias if the challenger is shown to be no worse.

        Returns:
            The version that the alias points at.

        Raises:
            RunNotFoundError: There is no such run, or nothing that the alias points at.
            DataError: The runs cannot be compared, or the challenger may be worse.
        """
        uri, experiment = self.tracking.uri, self.tracking.experiment_name
        challenger = find_model(uri, experiment, self.run)
        champion = find_model(uri, experiment, f"models:/{self.name}@{self.alias}")
        if champion.run is None or challenger.run is None:
            missing = champion if champion.run is None else challenger
            raise RunNotFoundError(f"The run of {missing.uri} is gone: nothing can be compared.")
        if champion.run.id == challenger.run.id:
            raise ConfigError(f"run: {self.run!r} is what {champion.uri} points at already")
        reason = self._compared(champion.run, challenger.run)
        version = register_model(challenger, self.name)
        set_alias(uri, self.name, self.alias, version)
        terminal().print(f"{reason}; {champion.uri} is now {challenger.title}, version {version}")
        return version

    def _compared(self, champion: FoundRun, challenger: FoundRun) -> str:
        """Print the comparison; return what it shows. Raise DataError if it shows too little."""
        compared = Compare(
            runs=[champion.id, challenger.id],
            sweep=None,
            part=self.part,
            metric=self.metric,
            file=None,
            output_dir=self.output_dir,
            comparison=self.comparison,
            tracking=self.tracking,
        ).compare()
        print_compared(compared)
        name = challenger.tags.get(_SETTING, challenger.name)
        names = [name, f"{name} ({challenger.id[:_SHORT_ID]})"]
        row = compared.models.filter(pl.col("name").is_in(names)).row(0, named=True)
        if row["rank"] == 1:
            return f"{name} has the higher {compared.metric}"
        within = f"within {compared.margin:.0%} (comparison.margin)"
        if row["no_worse"]:
            return f"{name} is shown to be no worse {within}"
        raise DataError(
            f"not promoted: {name} is not shown to be no worse than {champion.name} by "
            f"{compared.metric} {within}, p={row['p_no_worse']:.3f}; the alias stays where it is"
        )
