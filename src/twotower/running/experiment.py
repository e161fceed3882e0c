"""One run from data to metrics: the object that conf/train.yaml describes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import NonNegativeInt, PositiveFloat
from torch import Tensor
from torch.optim import Optimizer

from twotower.baselines import Baseline
from twotower.config import Configured
from twotower.config.identity import digest_of
from twotower.core.component import component
from twotower.core.writable import require_writable_folder
from twotower.dataset import Dataset
from twotower.evaluation import Evaluation
from twotower.evaluation.repeats import repeat_note
from twotower.loss import Loss
from twotower.negative_sampling import SamplerFactory
from twotower.preprocessing.preprocessing import Preprocessing
from twotower.running import artifacts
from twotower.running.continuation import (
    require_same_data,
    require_same_settings,
    run_record,
)
from twotower.running.fitter import Fitter
from twotower.running.judge import Judge
from twotower.running.limits import limits_named
from twotower.running.load_data import load_data
from twotower.running.reference import References
from twotower.running.result import Judged, Result
from twotower.running.rules import (
    a_learned_prior_is_scored,
    a_part_is_measured,
    extras_are_installed,
    objective_fits,
    streaming_fits,
    validation_is_cut,
    weights_are_applied,
)
from twotower.running.shared import shared_data, shared_fold
from twotower.running.trial_context import TrialContext
from twotower.running.unfinished import Resume, Unfinished, unfinished
from twotower.serving.recommender import Recommender
from twotower.split.base import Split
from twotower.split.fold import fold_of
from twotower.tower.prior import TwoTowerFactory
from twotower.tracking.base import Run, Tracking
from twotower.tracking.none import NoTracking
from twotower.tracking.signals import terminate_on_sigterm
from twotower.training import Fitted, Objective, Trainer, is_first_process, training_notes
from twotower.types import Fold, Interactions, SplitFrames

__all__ = ["Experiment", "Report"]

Report = Callable[[Run, Result], object]  # what people look at: see `twotower.reporting.run_page`

logger = logging.getLogger(__name__)


@component(
    rules=(
        objective_fits,
        validation_is_cut,
        a_part_is_measured,
        weights_are_applied,
        a_learned_prior_is_scored,
        streaming_fits,
        extras_are_installed,
    )
)
@dataclass(frozen=True)
class Experiment(Configured):
    """One run as conf/train.yaml describes it, one field per key; conf/ documents each of them.

    Build it from a config, which it then carries as `config`: the one source for what is logged,
    saved and used as a cache key. The keys that concern several runs are read by `SweepSettings`.

    >>> from twotower import config
    >>> experiment = config.build(config.compose("train", ["tower.emb_dim=32"]))
    >>> experiment.config["tower"]["emb_dim"]
    32
    """

    seed: NonNegativeInt
    resume: Resume
    memory_gib: PositiveFloat | Literal["auto"] | None
    output_dir: str
    run_name: str | None
    embedding_plot: Literal["pca", "umap", "none"]
    save_models: Literal["best", "all", "none"]
    dataset: Dataset
    preprocessing: Preprocessing
    split: Split
    negative_sampling: SamplerFactory
    tower: TwoTowerFactory
    loss: Loss
    optimizer: Callable[[Iterable[Tensor]], Optimizer]
    trainer: Trainer
    evaluation: Evaluation
    baselines: dict[str, Baseline]
    tracking: Tracking

    def run(
        self,
        name: str,
        report: Report,
        trial: TrialContext | None = None,
        folder: Path | None = None,
    ) -> Result:
        """Load and split the data, train, evaluate next to the baselines, and log everything.

        Args:
            name: The name of the tracked run. `run_name` takes precedence in a single run.
            report: Called with the result while the tracked run is still open.
            trial: The context of the run in a sweep. A single run is tested at the end.
            folder: Of the run's own files, where `trainer` has some; that of a trial is known.
                None: a folder in `output_dir`, named by the time.

        Raises:
            ConfigError: A folder, device or tracking store cannot be used.
            DataError: The data cannot be read, split or trained on.
            ResourceError: Memory or disk space has run out.
            TrainingError: Training diverged.
        """
        require_writable_folder("output_dir", self.output_dir)
        self.trainer.check_device()
        if self.trainer.ckpt_path is not None:
            require_same_settings(self.trainer.ckpt_path, self.config)
        folder = trial.folder if trial else folder or Path(self.output_dir, "runs", _now())
        # Further processes of a distributed run do the same work and do not log.
        tracking = self.tracking if is_first_process() else NoTracking()
        if trial is None:  # a trial's own name is what distinguishes it
            name = self.run_name or name
        resume = self.resume if trial is None else False
        with (
            terminate_on_sigterm(),
            unfinished(self.output_dir, self.config, resume) as kept,
        ):
            loaded = self._load_again(kept)
            context = trial or (kept.context(tests=self._tests) if kept else None)
            with (
                tracking.run(
                    name=name,
                    config=self.config,
                    tags=context.tags if context else {},
                    run_id=context.run_id if context else None,
                ) as run,
                limits_named(self.output_dir),
            ):
                if context is not None:
                    context.opened(run.id)
                interactions, frames = loaded or self._load(shares=trial is not None)
                if kept is not None:
                    kept.of(frames.identity)
                artifacts.log_data(run, type(self.dataset).__name__, interactions, frames)
                result = self._result(frames, name, run, context, folder)
                artifacts.log(run, result, keep_model=self._keeps_model(result, trial))
                report(run, result)
                if trial is None:  # a sweep saves it once for all of its trials
                    run.save_overview(self.evaluation.val_monitor)
        return result

    @property
    def _tests(self) -> bool:
        """Whether a single run is tested."""
        return self.evaluation.test != "never"

    def _load_again(self, kept: Unfinished | None) -> tuple[Interactions, SplitFrames] | None:
        """Return the data if there is a run to resume that has read data, which must be the same;
        it decides whether the tracked run is reopened."""
        if kept is None or kept.data is None:
            return None
        loaded = self.load()
        if kept.of(loaded[1].identity):
            kept.announce()
        return loaded

    def _load(self, *, shares: bool) -> tuple[Interactions, SplitFrames]:
        """Return the data, which is read once for the trials of a sweep in this process."""
        if not shares:
            return self.load()
        nodes = ("dataset", "preprocessing", "split", "evaluation", "output_dir")
        return shared_data(digest_of({name: self.config[name] for name in nodes}), self.load)

    def _fold(
        self, frames: SplitFrames, part: Literal["validation", "test"], *, on_train: bool = False
    ) -> Fold:
        """Return the fold of a part, which is made once for trials that share the data."""
        name = f"{part}{'-of-train' if on_train else ''}"

        def make() -> Fold:
            fold = fold_of(frames, part, self.split, on_train=on_train)
            return self.evaluation.validated(fold) if part == "validation" else fold

        fold = shared_fold(frames, name, make)
        if fold.holdout.sampled_from is not None:
            logger.info(
                "validation: %s, a fixed sample (evaluation.validation_users); the test ranks all",
                fold.holdout.size,
            )
        return fold

    def load(self) -> tuple[Interactions, SplitFrames]:
        """Return the dataset, without its log, and its parts, which are cached in `output_dir`."""
        return load_data(
            self.dataset,
            self.preprocessing,
            self.split,
            self.trainer,
            self.evaluation,
            Path(self.output_dir, "cache", "splits"),
            {key: self.config[key] for key in ("preprocessing", "split")},
        )

    def _result(
        self,
        frames: SplitFrames,
        name: str,
        run: Run,
        trial: TrialContext | None,
        folder: Path,
    ) -> Result:
        """Select on validation, refit, test: each where the config asks for it."""
        if self.trainer.ckpt_path is not None:
            require_same_data(self.trainer.ckpt_path, frames.identity)
        fitter = Fitter(
            tower=self.tower,
            trainer=self.trainer,
            objective=self._objective,
            evaluation=self.evaluation,
            seed=self.seed,
            run=run,
            trial=trial,
            folder=folder,
            memory_gib=self.memory_gib,
            record=run_record(self.config, frames.identity),
        )
        selected = validation = test = None
        if frames.validation is not None:
            fold = self._fold(frames, "validation")
            selected = fitted = fitter.select(fold)
            validation = self._judge("validation", selected.model, fold, frames)
        tests = trial.tests if trial else self._tests
        if tests or selected is None:
            refits = selected is None or self.trainer.refit
            fold = self._fold(frames, "test", on_train=not refits)
            fitted = fitter.final(fold, selected) if refits else fitted
            test = self._judge("test", fitted.model, fold, frames, on_train=not refits)
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
            notes=self._notes(judged, selected, fitted, frames),
            embedding_plot=self.embedding_plot,
            recommender=Recommender(
                model=fitted.model,
                tower=self.config["tower"],
                vocabulary=fold.vocabulary,
                histories=fold.histories,
                users=fold.users,
                items=fold.items,
                library="pandas",
            ),
        )

    def _notes(
        self, judged: Judged, selected: Fitted | None, fitted: Fitted, frames: SplitFrames
    ) -> list[str]:
        """Return what looks wrong with the run, one sentence each, naming the keys to change."""
        notes = self._judge.suspicions(judged, frames.n_users, self.split.judging_more)
        if selected is None:
            notes += fitted.warnings
        else:
            monitor = self.evaluation.val_monitor
            notes += training_notes(
                selected, monitor, self.trainer.max_epochs, self.trainer.anneals
            )
        repeats = repeat_note(frames, judged.part, self.evaluation)
        return [*notes, repeats] if repeats and self.evaluation.drop_seen else notes

    def _keeps_model(self, result: Result, trial: TrialContext | None) -> bool:
        chosen = trial is None or result.test is not None
        return self.save_models == "all" or (self.save_models == "best" and chosen)

    @property
    def _judge(self) -> Judge:
        cache = Path(self.output_dir) / "cache" / "baselines"
        first = is_first_process()
        baselines = self.baselines if first else {}
        shows = self.trainer.progress_bar and first
        return Judge(References(baselines, self.evaluation, self.config, cache, shows))

    @property
    def _objective(self) -> Objective:
        return Objective(self.negative_sampling, self.loss, self.optimizer)


def _now() -> str:
    """Return a folder named by the time, as Hydra names those of the command line."""
    return f"{datetime.now():%Y-%m-%d/%H-%M-%S-%f}"
