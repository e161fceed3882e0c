"""What a run gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import polars as pl

from twotower.evaluation import Measured
from twotower.model import DotProductScorer
from twotower.serving.recommender import Recommender
from twotower.training import Fitted
from twotower.types import Fold, Recommendations
from twotower.types.metric_name import MetricName

__all__ = ["Judged", "Result"]


@dataclass(frozen=True)
class Judged:
    """A model and the baselines on one holdout.

    part: the holdout, `validation` or `test`.
    scorer: the model's embeddings, as they were ranked.
    recommendations: the top of the ranking for its users, also as a frame with the source's ids.
    relevant: one row a held-out pair, see `relevant_frame`.
    conditions: see `Evaluation.conditions`.
    """

    part: str
    fold: Fold
    scorer: DotProductScorer
    measured: Measured
    baselines: dict[str, Measured]
    recommendations: Recommendations
    recommendation_lists: pl.DataFrame
    relevant: pl.DataFrame
    conditions: str

    def below(self, metric: str) -> list[str]:
        """The baselines that do at least as well on `metric`."""
        own = self.measured.values[metric]
        return [name for name, other in self.baselines.items() if other.values[metric] >= own]

    @property
    def metrics(self) -> dict[str, float]:
        """By their names in MLflow, such as `test/ndcg_at_10`; `baseline/...` on the test."""
        own, of_baselines = ("test", "baseline") if self.part == "test" else ("val", "val_baseline")
        return {
            **{
                str(MetricName.parse(name).on(own)): value
                for name, value in self.measured.values.items()
            },
            **{
                str(MetricName.parse(name).on(of_baselines, baseline)): value
                for baseline, measured in self.baselines.items()
                for name, value in measured.values.items()
            },
        }

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """Low and high end, by the names of `metrics`."""
        prefix = "test" if self.part == "test" else "val"
        return {
            str(MetricName.parse(name).on(prefix)): ends
            for name, ends in self.measured.intervals.items()
        }


@dataclass(frozen=True)
class Result:
    """A finished run.

    run_id, experiment_id: in MLflow; None with `tracking=none`.
    monitor: the metric that the best epoch was chosen by, such as `ndcg_at_10`.
    fitted: the model of the run: the tested one, where one was tested.
    selected: the one that validation chose the epoch of, which is `fitted` without refit or
        test, or None without validation.
    validation: None where no validation part is cut; test: None where the test was not scored.
    repeat: where the split is one of several that are averaged, which it is, in words.
    notes: what is suspicious about the model, in words.
    """

    run_id: str | None
    experiment_id: str | None
    name: str
    monitor: str
    fitted: Fitted
    selected: Fitted | None
    validation: Judged | None
    test: Judged | None
    repeat: str | None
    notes: list[str]
    recommender: Recommender

    @property
    def judged(self) -> Judged:
        """What the run is judged by in the end: on the test, or else on validation."""
        judged = self.test or self.validation
        assert judged is not None, "a run without both is refused before it starts"
        return judged

    @property
    def metrics(self) -> dict[str, float]:
        """By their names in MLflow: `test/...`, `val/...` of the chosen epoch, `baseline/...`."""
        kept = self.selected.kept if self.selected is not None else {}
        loss = {name: value for name, value in kept.items() if name == "val/loss"}
        of_validation = self.validation.metrics if self.validation is not None else {}
        of_test = self.test.metrics if self.test is not None else {}
        return {**of_test, **of_validation, **loss}

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
    def n_parameters(self) -> int:
        """Trained numbers of both towers of the model that validation chose, or of the only one; a
        refit has more where it knows more users and items."""
        return sum(parameter.numel() for parameter in self.fits[0].model.parameters())

    @property
    def history(self) -> pd.DataFrame:
        """One row an epoch: `epoch`, `train/loss` and, with validation, `val/...`."""
        return self.fits[0].history.to_pandas()

    @property
    def recommendations(self) -> pd.DataFrame:
        """`user_id`, `item_id`, `rank`, `score`, `title` where known, for the users judged by."""
        return self.judged.recommendation_lists.to_pandas()

    @property
    def per_user(self) -> pd.DataFrame:
        """`user_id`, `n_seen` and a column a metric, one row a user of the test (of validation,
        where the test was not scored)."""
        return self.judged.measured.per_user.to_pandas()

    @property
    def below(self) -> list[str]:
        """The baselines that do at least as well on `monitor`."""
        return self.judged.below(self.monitor)

    @property
    def warnings(self) -> list[str]:
        """What is suspicious about the run, in sentences that name the keys to change."""
        if not self.below:
            return self.notes
        below = (
            f"by {MetricName.parse(self.monitor).title} on {self.judged.part} this model is not "
            f"better than {', '.join(self.below)}; try other values of tower.emb_dim, "
            "negative_sampling, optimizer.lr or trainer.l2"
        )
        return [below, *self.notes]

    def recommend(self, users: Any = None, k: int = 10) -> pd.DataFrame:
        """The `k` best items for `users` (original ids; None: all) that they have not seen."""
        return self.recommender.recommend(users, k).to_pandas()
