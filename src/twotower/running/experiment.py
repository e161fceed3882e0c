"""One run from data to metrics: the object that conf/train.yaml describes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import torch
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor, nn
from torch.optim import Optimizer

from twotower.baselines import Baseline
from twotower.comparison import Comparison
from twotower.config import Configured
from twotower.core.errors import ConfigError, DataError
from twotower.core.writable import require_writable_folder
from twotower.dataset import Dataset
from twotower.dataset.digest import frames_digest
from twotower.dataset.time_range import report_times
from twotower.evaluation import Evaluation
from twotower.evaluation.metrics import METRICS, UserMetric
from twotower.evaluation.repeats import repeat_note
from twotower.loss import Loss
from twotower.model import TwoTower
from twotower.negative_sampling import NegativeSampler
from twotower.preprocessing.preprocessing import Preprocessing
from twotower.running import artifacts
from twotower.running.judge import Judge
from twotower.running.reference import References
from twotower.running.result import Judged, Result
from twotower.running.trial_context import TrialContext
from twotower.serving.recommender import Recommender
from twotower.split.base import Split
from twotower.split.fold import fold_of
from twotower.split.prepare import prepare
from twotower.tower import TowerFactory
from twotower.tracking.base import Context, Run, Tracking
from twotower.tracking.none import NoTracking
from twotower.tracking.signals import terminate_on_sigterm
from twotower.training import Fitted, Objective, Trainer, is_first_process, training_notes
from twotower.types import Fold, Interactions, Scorer, SplitFrames
from twotower.types.metric_name import MetricName

__all__ = ["Experiment"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Experiment(Configured):
    """A whole config, instantiated; what each field does stands in conf/."""

    seed: NonNegativeInt
    seeds: PositiveInt
    folds: Annotated[int, Field(ge=2)] | None
    output_dir: str
    run_name: str | None
    dataset: Dataset
    preprocessing: Preprocessing
    split: Split
    negative_sampling: Callable[..., NegativeSampler]
    tower: TowerFactory
    loss: Loss
    optimizer: Callable[[Iterable[Tensor]], Optimizer]
    trainer: Trainer
    evaluation: Evaluation
    baselines: dict[str, Baseline]
    comparison: Comparison
    tracking: Tracking

    def __post_init__(self) -> None:
        """Raises ConfigError where the optimizer refuses its values, and as Trainer.check."""
        try:
            self.optimizer([nn.Parameter(torch.zeros(1))])
        except (ValueError, TypeError) as error:
            raise ConfigError(f"optimizer: {error}; no data was read") from error
        self.trainer.check(self._objective)

    @staticmethod
    def conflicts(config: Mapping[str, Any], _path: str) -> Iterator[str]:
        """What does not fit together in a config, which may hold other mistakes."""
        split, trainer = config.get("split"), config.get("trainer")
        evaluation = config.get("evaluation")
        yield from _metric_conflicts(config.get("comparison"), evaluation)
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
        if isinstance(evaluation, Mapping) and evaluation.get("test") == "never":
            yield (
                "evaluation.test: got never, but split.validation=false cuts no validation part "
                "either, so nothing would be measured; valid are best, all"
            )

    def run(self, name: str, trial: TrialContext | None = None) -> Result:
        """Load, split, train, judge beside the baselines, and log all of it.

        name: of the MLflow run.
        trial: of a sweep; a run by itself is its own best and is tested at the end.
        """
        if self.seeds != 1:
            raise ConfigError(
                f"seeds: got {self.seeds}, which are as many runs; valid in one run is 1, with "
                "`seed` to say which; `twotower train seeds=5` runs five"
            )
        if self.folds is not None:
            raise ConfigError(
                f"folds: got {self.folds}, which are as many runs; must be null in one run, with "
                "split=k_folds and `split.fold` to say which; `twotower train folds=5` runs five"
            )
        require_writable_folder("output_dir", self.output_dir)
        self.trainer.check_device()
        # The other processes of a distributed run work alike and stay silent.
        tracking = self.tracking if is_first_process() else NoTracking()
        if trial is None:  # trials are told apart by their names
            name = self.run_name or name
        with (
            terminate_on_sigterm(),
            tracking.run(
                name=name,
                config=self.config,
                tags=trial.tags if trial else {},
                run_id=trial.run_id if trial else None,
            ) as run,
        ):
            if trial is not None:
                trial.opened(run.id)
            interactions, frames = self.load()
            _log_data(run, type(self.dataset).__name__, interactions, frames)
            result = self._result(frames, name, run, trial)
            artifacts.log(run, result)
            if trial is None:  # a sweep does it once, for all of its trials
                run.save_overview(self.evaluation.val_monitor)
        return result

    def load(self) -> tuple[Interactions, SplitFrames]:
        """The dataset, and its parts, which are kept below `output_dir` once they are prepared."""
        interactions = self.dataset.load()
        logger.info("data: %s", interactions.origin)
        report_times(interactions)
        nodes = {key: self.config[key] for key in ("preprocessing", "split")}
        cache = Path(self.output_dir) / "cache" / "splits"
        frames = prepare(interactions, self.preprocessing, self.split, cache, nodes)
        for part in ("validation", "test"):
            if note := repeat_note(frames, part, self.evaluation):
                logger.log(logging.WARNING if self.evaluation.drop_seen else logging.INFO, note)
        return interactions, frames

    def _result(
        self,
        frames: SplitFrames,
        name: str,
        run: Run,
        trial: TrialContext | None,
    ) -> Result:
        selected = validation = test = None
        if frames.validation is not None:
            fold = fold_of(frames, "validation", self.split)
            selected = fitted = self._select(fold, run, trial)
            validation = self._judge("validation", selected.model, fold, frames)
        tests = trial.tests if trial else self.evaluation.test != "never"
        if tests or selected is None:
            fold, fitted = self._final(frames, selected, run, trial)
            test = self._judge("test", fitted.model, fold, frames)
        judged = test or validation
        assert judged is not None
        return Result(
            run_id=run.id,
            experiment_id=run.experiment_id,
            name=name,
            monitor=self.evaluation.monitor_name,
            fitted=fitted,
            selected=selected,
            validation=validation,
            test=test,
            repeat=self.split.repeat,
            notes=self._notes(judged, selected, frames),
            recommender=Recommender(
                model=fitted.model,
                tower=self.config["tower"],
                vocabulary=fold.vocabulary,
                histories=fold.histories,
                users=fold.users,
                items=fold.items,
            ),
        )

    def _select(self, fold: Fold, run: Run, trial: TrialContext | None) -> Fitted:
        """Train on train, watched on validation."""

        def validate(scorer: Scorer) -> Mapping[str, float]:
            return self.evaluation.measure(self.evaluation.recommend(scorer, fold), fold).values

        monitored = self.evaluation.val_monitor

        def on_epoch(epoch: int, metrics: Mapping[str, float]) -> None:
            # MLflow's page that compares runs opens on the metric that was logged first.
            first = {name: metrics[name] for name in (monitored,) if name in metrics}
            run.log_metrics({**first, **metrics}, step=epoch)
            if trial is not None:
                trial.on_epoch(epoch, metrics)

        fitted = self.trainer.fit(
            self._model(fold),
            fold,
            self._objective,
            seed=self.seed,
            validate=validate,
            monitor=self.evaluation.monitor_name,
            on_epoch=on_epoch,
            folder=trial.folder / "selection" if trial else None,
        )
        self._log_early_stop(fitted)
        # A run's value in tables is its last one: that of the kept epoch must come last.
        run.log_metrics(fitted.kept, step=fitted.history.height + 1)
        return fitted

    def _log_early_stop(self, fitted: Fitted) -> None:
        trainer, epochs = self.trainer, fitted.history.height
        if trainer.patience is None or epochs == trainer.max_epochs:
            return
        # Arguments of Lightning such as max_time end a fit without patience having run out.
        if epochs - fitted.best_epoch >= trainer.patience * trainer.validate_every:
            logger.info(
                "training stopped after epoch %d: no better val/%s since epoch %d "
                "(trainer.patience=%d, trainer.patience_steps=%d)",
                epochs,
                self.evaluation.monitor_name,
                fitted.best_epoch,
                trainer.patience,
                trainer.patience_steps,
            )

    def _final(
        self, frames: SplitFrames, selected: Fitted | None, run: Run, trial: TrialContext | None
    ) -> tuple[Fold, Fitted]:
        """What is tested: the selected model, or one trained on all that comes before the test."""
        if selected is not None and not self.trainer.refit:
            return fold_of(frames, "test", self.split, on_train=True), selected
        fold = fold_of(frames, "test", self.split)
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
            folder=trial.folder / "refit" if trial else None,
        )
        return fold, fitted

    def _notes(self, judged: Judged, selected: Fitted | None, frames: SplitFrames) -> list[str]:
        """What is suspicious about a run, a sentence each, with the keys to change."""
        notes = self._judge.suspicions(judged, frames.n_users, self.split.judging_more)
        if selected is not None:
            monitor = self.evaluation.val_monitor
            notes += training_notes(selected, monitor, self.trainer.max_epochs, self.trainer.decay)
        repeats = repeat_note(frames, judged.part, self.evaluation)
        return [*notes, repeats] if repeats and self.evaluation.drop_seen else notes

    @property
    def _judge(self) -> Judge:
        cache = Path(self.output_dir) / "cache" / "baselines"
        return Judge(References(self.baselines, self.evaluation, self.config, cache))

    def _model(self, fold: Fold) -> TwoTower:
        model = TwoTower.build(self.tower, users=fold.users, items=fold.items, seed=self.seed)
        if model.needs_order and fold.train.timestamps is None:
            raise DataError(
                "tower: the user tower reads what users met in its order, and the log has no "
                "timestamps: set dataset.columns.timestamp, or dataset.order=file if its lines are "
                "in order of time, or take an encoder that needs no "
                "order, such as tower/encoder=mean"
            )
        return model

    @property
    def _objective(self) -> Objective:
        return Objective(self.negative_sampling, self.loss, self.optimizer)


def _metric_conflicts(comparison: Any, evaluation: Any) -> Iterator[str]:
    """Where settings are to be compared by a metric that users get no value of."""
    if not (isinstance(comparison, Mapping) and isinstance(evaluation, Mapping)):
        return
    metric, k, names = comparison.get("metric"), evaluation.get("k"), evaluation.get("metrics")
    if metric is None or not isinstance(k, int | list) or not isinstance(names, list):
        return
    by_user = [name for name in names if isinstance(METRICS.get(name), UserMetric)]
    depths = [k] if isinstance(k, int) else k
    valid = [str(MetricName(name, depth)) for name in by_user for depth in depths]
    if metric not in valid:
        yield (
            f"comparison.metric: got {metric!r}, which is not measured for each user "
            "(evaluation.metrics, evaluation.k); must be null or one of "
            f"{', '.join(valid) or 'none'}"
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
