"""What a run gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import polars as pl

from twotower.evaluation import Measured
from twotower.recommender import Recommender
from twotower.training import Fitted

__all__ = ["Result"]


@dataclass(frozen=True)
class Result:
    """A finished run.

    run_id, experiment_id: in MLflow; None with `tracking=none`.
    monitor: the metric that the best epoch was chosen by, such as `ndcg_at_10`.
    test: metrics of the tested model; baselines: of each baseline on the same test part.
    fitted: the tested model; selected: the one that validation chose the epoch of, which is the
        tested one without refit, or None without validation.
    recommendation_lists: the top of the ranking for the users of the test part.
    """

    run_id: str | None
    experiment_id: str | None
    name: str
    monitor: str
    test: Measured
    baselines: dict[str, Measured]
    fitted: Fitted
    selected: Fitted | None
    recommendation_lists: pl.DataFrame
    recommender: Recommender

    @property
    def metrics(self) -> dict[str, float]:
        """By their names in MLflow: `test/...`, `val/...` of the chosen epoch, `baseline/...`."""
        of_baselines = {
            f"baseline/{name}/{metric}": value
            for name, measured in self.baselines.items()
            for metric, value in measured.values.items()
        }
        kept = self.selected.kept if self.selected is not None else {}
        validation = {name: value for name, value in kept.items() if name.startswith("val/")}
        test = {f"test/{name}": value for name, value in self.test.values.items()}
        return {**test, **validation, **of_baselines}

    @property
    def fits(self) -> list[Fitted]:
        """Every fit of the run, in order of time."""
        if self.selected is None or self.selected is self.fitted:
            return [self.fitted]
        return [self.selected, self.fitted]

    @property
    def train_seconds(self) -> float:
        """Wall time of all fits together."""
        return sum(fitted.seconds for fitted in self.fits)

    @property
    def history(self) -> pd.DataFrame:
        """One row an epoch: `epoch`, `train/loss` and, with validation, `val/...`."""
        return self.fits[0].history.to_pandas()

    @property
    def recommendations(self) -> pd.DataFrame:
        """`user_id`, `item_id`, `rank`, `score`, `title` where known, for the test users."""
        return self.recommendation_lists.to_pandas()

    @property
    def per_user(self) -> pd.DataFrame:
        """`user_id` and a column a metric, one row a test user."""
        return self.test.per_user.to_pandas()

    @property
    def below(self) -> list[str]:
        """The baselines that do at least as well on `monitor`."""
        own = self.test.values[self.monitor]
        return [name for name, other in self.baselines.items() if other.values[self.monitor] >= own]

    def recommend(self, users: Sequence[Any] | None = None, k: int = 10) -> pd.DataFrame:
        """The `k` best items for `users` (original ids; None: all) that they have not seen."""
        return self.recommender.recommend(users, k).to_pandas()
