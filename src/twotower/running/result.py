"""The result of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from twotower.core.frame_library import Library, in_library
from twotower.evaluation import Measured
from twotower.evaluation.groups import GroupMetrics
from twotower.model import DotProductScorer
from twotower.serving.recommender import Recommender
from twotower.training import Fitted
from twotower.types import Fold, Recommendations
from twotower.types.metric_name import MetricName

__all__ = ["Judged", "Result"]


@dataclass(frozen=True)
class Judged:
    """The metrics of a model and of the baselines on one holdout.

    Attributes:
        part: The holdout, `validation` or `test`.
        fold: What the model was trained on and evaluated against.
        scorer: The embeddings that were ranked.
        measured: The model's metrics.
        groups: The model's metrics by the features of `evaluation.by`.
        baselines: Those of each baseline, by name.
        recommendations: The top of the ranking for each user of the holdout.
        recommendation_lists: The same as a frame with original ids.
        relevant: One row per held-out pair; see `relevant_frame`.
        conditions: See `Evaluation.conditions`.
    """

    part: str
    fold: Fold
    scorer: DotProductScorer
    measured: Measured
    groups: list[GroupMetrics]
    baselines: dict[str, Measured]
    recommendations: Recommendations
    recommendation_lists: pl.DataFrame
    relevant: pl.DataFrame
    conditions: str

    def below(self, metric: str) -> list[str]:
        """Return the baselines that do at least as well on `metric`."""
        own = self.measured.values[metric]
        return [name for name, other in self.baselines.items() if other.values[metric] >= own]

    @property
    def metrics(self) -> dict[str, float]:
        """Values by their names in MLflow.

        `test/ndcg_at_10`, `baseline/item_knn/ndcg_at_10`, `test/by_gender/F/ndcg_at_10`.
        """
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
            **self.group_metrics,
        }

    @property
    def group_metrics(self) -> dict[str, float]:
        """The metrics of groups, by their names in MLflow."""
        part = "test" if self.part == "test" else "val"
        return {
            name: value for groups in self.groups for name, value in groups.logged(part).items()
        }

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """Low and high end of each interval, by the names of `metrics`."""
        prefix = "test" if self.part == "test" else "val"
        return {
            str(MetricName.parse(name).on(prefix)): ends
            for name, ends in self.measured.intervals.items()
        }


@dataclass(frozen=True)
class Result:
    """A finished run: metrics, frames and the trained model.

    Attributes:
        run_id: The run in MLflow; None with `tracking=none`.
        experiment_id: Its experiment in MLflow; None with `tracking=none`.
        name: The name of the run.
        monitor: The metric that chose the best epoch, such as `ndcg_at_10`.
        fitted: The final model: the tested one if the test part was scored.
        selected: The fit whose best epoch validation chose; the same object as `fitted` without a
            refit, None without a validation part.
        validation: Metrics on validation; None without a validation part.
        test: Metrics on the test part; None if it was not scored.
        repeat: Describes the fold if the split is one of several that are averaged.
        notes: Sentences on what looks wrong with the model.
        recommender: The trained model, ready to recommend.
        library: The library of all frames, `pandas` or `polars`.
        embedding_plot: How items are drawn in two dimensions: `pca`, `umap` or `none`.

    >>> import twotower
    >>> data = ["dataset=synthetic", "dataset.n_users=200", "dataset.n_interactions=4000"]
    >>> result = twotower.run([*data, "trainer.max_epochs=2", "tracking=none"])
    >>> result.monitor, result.history["epoch"].tolist()
    ('ndcg_at_10', [1, 2])
    >>> list(result.test.baselines)
    ['popularity']
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
    library: Library = "pandas"
    embedding_plot: Literal["pca", "umap", "none"] = "none"

    @property
    def judged(self) -> Judged:
        """The metrics on the test part, or on validation if the test part was not scored."""
        judged = self.test or self.validation
        assert judged is not None, "a run without both is refused before it starts"
        return judged

    @property
    def metrics(self) -> dict[str, float]:
        """Values by name in MLflow: `test/...`, `baseline/...`, and `val/...` of the best epoch."""
        kept = self.selected.kept if self.selected is not None else {}
        loss = {name: value for name, value in kept.items() if name == "val/loss"}
        of_validation = self.validation.metrics if self.validation is not None else {}
        of_test = self.test.metrics if self.test is not None else {}
        return {**of_test, **of_validation, **loss}

    @property
    def fits(self) -> list[Fitted]:
        """Every fit of the run, first to last."""
        if self.selected is None or self.selected is self.fitted:
            return [self.fitted]
        return [self.selected, self.fitted]

    @property
    def train_seconds(self) -> float:
        """Wall time of all fits, in seconds."""
        return sum(fitted.seconds for fitted in self.fits)

    @property
    def n_parameters(self) -> int:
        """The number of trained parameters of the first fit. A refit may have more, since it knows
        more users and items."""
        return sum(parameter.numel() for parameter in self.fits[0].model.parameters())

    @property
    def history(self) -> Any:
        """One row per epoch: `epoch`, `train/loss` and, with validation, `val/...`."""
        return in_library(self.fits[0].history, self.library)

    @property
    def recommendations(self) -> Any:
        """`user_id`, `item_id`, `rank`, `score`, `title` where known; for the users of `judged`."""
        return in_library(self.judged.recommendation_lists, self.library)

    @property
    def per_user(self) -> Any:
        """`user_id`, `n_seen` and one column per metric; one row per user of `judged`."""
        return in_library(self.judged.measured.per_user, self.library)

    @property
    def below(self) -> list[str]:
        """Names of the baselines that do at least as well on `monitor`."""
        return self.judged.below(self.monitor)

    @property
    def warnings(self) -> list[str]:
        """Sentences on what looks wrong with the run, naming the keys to change."""
        if not self.below:
            return self.notes
        below = (
            f"by {MetricName.parse(self.monitor).title} on {self.judged.part} this model is not "
            f"better than {', '.join(self.below)}; try other values of tower.emb_dim, "
            "negative_sampling, optimizer.lr or trainer.l2"
        )
        return [below, *self.notes]

    def recommend(
        self,
        users: Any = None,
        k: int = 10,
        drop_seen: bool = True,
        items: Any = None,
        exclude: Any = None,
    ) -> Any:
        """Return the `k` best items for each user; see `Recommender.recommend`."""
        return self.recommender.recommend(users, k, drop_seen, items, exclude)
