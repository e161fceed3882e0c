"""One run from data to metrics: the object that conf/train.yaml describes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import torch
from pydantic import NonNegativeInt
from torch import Tensor, nn
from torch.optim import Optimizer

from twotower import artifacts
from twotower.baselines import Baseline
from twotower.dataset import Dataset
from twotower.dataset.digest import frames_digest
from twotower.errors import ConfigError
from twotower.evaluation import Evaluation, Measured, recommendations_frame
from twotower.loss import Loss
from twotower.model import TwoTower
from twotower.negative_sampling import NegativeSampler
from twotower.preprocessing.preprocessing import Preprocessing
from twotower.recommender import Recommender
from twotower.result import Result
from twotower.split.base import Split
from twotower.split.fold import make_fold
from twotower.split.prepare import prepare
from twotower.tracking.base import Context, Run, Tracking
from twotower.tracking.none import NoTracking
from twotower.tracking.signals import terminate_on_sigterm
from twotower.training import Fitted, Objective, Trainer, is_first_process
from twotower.types import Fold, Interactions, Scorer, SplitFrames

__all__ = ["Experiment"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Experiment:
    """A whole config, instantiated; what each field does stands in conf/."""

    seed: NonNegativeInt
    output_dir: str
    run_name: str | None
    dataset: Dataset
    preprocessing: Preprocessing
    split: Split
    negative_sampling: Callable[..., NegativeSampler]
    tower: Callable[..., nn.Module]
    loss: Loss
    optimizer: Callable[[Iterable[Tensor]], Optimizer]
    trainer: Trainer
    evaluation: Evaluation
    baselines: dict[str, Baseline]
    tracking: Tracking

    def __post_init__(self) -> None:
        """Raises ConfigError where the optimizer refuses its values."""
        try:
            self.optimizer([nn.Parameter(torch.zeros(1))])
        except (ValueError, TypeError) as error:
            raise ConfigError(f"optimizer: {error}; no data was read") from error

    @staticmethod
    def conflicts(config: Mapping[str, Any]) -> Iterator[str]:
        """What does not fit together in a config, which may hold other mistakes."""
        split, trainer = config.get("split"), config.get("trainer")
        if not (isinstance(split, Mapping) and isinstance(trainer, Mapping)):
            return
        if split.get("validation") is not False:
            return
        for key, off in (("patience", "null"), ("refit", "false")):
            value = trainer.get(key)
            if value:
                yield (
                    f"trainer.{key}: got {value}, which needs a validation part, but "
                    f"split.validation=false cuts none; valid is {off}"
                )

    def run(self, config: Mapping[str, Any], name: str) -> Result:
        """Load, split, train, test, compare with the baselines, and log all of it.

        config: what this object was built from, as plain containers; name: of the MLflow run.
        """
        # The other processes of a distributed run work alike and stay silent.
        tracking = self.tracking if is_first_process() else NoTracking()
        with (
            terminate_on_sigterm(),
            tracking.run(name=self.run_name or name, config=config, tags={}) as run,
        ):
            interactions = self.dataset.load()
            logger.info("data: %s", interactions.origin)
            frames = self._split(interactions, config)
            _log_data(run, type(self.dataset).__name__, interactions, frames)

            selected = self._select(frames, run) if frames.validation is not None else None
            fold, fitted = self._final(frames, selected, run)

            recommendations = self.evaluation.recommend(fitted.model.scorer(), fold)
            measured = self.evaluation.measure(recommendations, fold)
            baselines = {
                key: self._measure(baseline.fit(fold.train), fold)
                for key, baseline in self.baselines.items()
            }
            result = Result(
                run_id=run.id,
                experiment_id=run.experiment_id,
                name=self.run_name or name,
                monitor=self.evaluation.monitor_name,
                test=measured,
                baselines=baselines,
                fitted=fitted,
                selected=selected,
                recommendation_lists=recommendations_frame(
                    recommendations, fold.vocabulary, frames.items
                ),
                recommender=self._recommender(fitted, fold, frames, config),
            )
            artifacts.log(run, result, fold, recommendations)
        return result

    def _split(self, interactions: Interactions, config: Mapping[str, Any]) -> SplitFrames:
        nodes = {key: config[key] for key in ("preprocessing", "split")}
        cache = Path(self.output_dir) / "cache" / "splits"
        return prepare(interactions, self.preprocessing, self.split, cache, nodes)

    def _select(self, frames: SplitFrames, run: Run) -> Fitted:
        """Train on train, watched on validation."""
        assert frames.validation is not None
        fold = self._fold(frames.train, frames.validation, frames.train)

        def validate(scorer: Scorer) -> Mapping[str, float]:
            return self._measure(scorer, fold).values

        fitted = self.trainer.fit(
            self._model(fold),
            fold,
            self._objective,
            seed=self.seed,
            validate=validate,
            monitor=self.evaluation.monitor_name,
            on_epoch=lambda epoch, metrics: run.log_metrics(metrics, step=epoch),
        )
        # A run's value in tables is its last one: that of the kept epoch must come last.
        run.log_metrics(fitted.kept, step=fitted.history.height + 1)
        return fitted

    def _final(self, frames: SplitFrames, selected: Fitted | None, run: Run) -> tuple[Fold, Fitted]:
        """What is tested: the selected model, or one trained on all that comes before the test."""
        if selected is not None and not self.trainer.refit:
            return self._fold(frames.train, frames.test, frames.history), selected
        fold = self._fold(frames.history, frames.test, frames.history)
        prefix = "refit/" if selected is not None else ""
        fitted = self.trainer.fit(
            self._model(fold),
            fold,
            self._objective,
            seed=self.seed,
            epochs=selected.best_epoch if selected is not None else None,
            on_epoch=lambda epoch, metrics: run.log_metrics(
                {f"train/{prefix}loss": metrics["train/loss"]}, step=epoch
            ),
            title="refit" if selected is not None else "training",
        )
        return fold, fitted

    def _fold(self, train: pl.DataFrame, holdout: pl.DataFrame, history: pl.DataFrame) -> Fold:
        split = self.split
        return make_fold(train, holdout, history, split.drop_cold_users, split.drop_cold_items)

    def _model(self, fold: Fold) -> TwoTower:
        train = fold.train
        return TwoTower.build(
            self.tower, n_users=train.n_users, n_items=train.n_items, seed=self.seed
        )

    @property
    def _objective(self) -> Objective:
        return Objective(self.negative_sampling, self.loss, self.optimizer)

    def _measure(self, scorer: Scorer, fold: Fold) -> Measured:
        return self.evaluation.measure(self.evaluation.recommend(scorer, fold), fold)

    def _recommender(
        self, fitted: Fitted, fold: Fold, frames: SplitFrames, config: Mapping[str, Any]
    ) -> Recommender:
        return Recommender(
            model=fitted.model,
            tower=config["tower"],
            vocabulary=fold.vocabulary,
            history=fold.train.items_by_user,
            items=frames.items,
        )


def _log_data(run: Run, name: str, interactions: Interactions, frames: SplitFrames) -> None:
    run.set_tags({"split.digest": frames.digest, "data.digest": interactions.digest})
    parts: dict[Context, pl.DataFrame | None] = {
        "train": frames.train,
        "validation": frames.validation,
        "test": frames.test,
    }
    for context, frame in parts.items():
        if frame is not None:
            digest = frames_digest({context: frame})
            run.log_dataset(frame, name, context, digest, interactions.origin)
