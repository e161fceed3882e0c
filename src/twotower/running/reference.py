"""Baselines and their metrics, cached on disk: each is fitted once per split, not once per run.

The cache only saves time. Which baselines a run shows depends on its config, never on what is
cached.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from twotower.baselines import Baseline, HistoryScorer
from twotower.config.identity import digest_of
from twotower.core.cache import Entry, cached
from twotower.evaluation import Evaluation, Measured, relevant_frame
from twotower.evaluation.metrics import DEFINITION
from twotower.types import Fold

__all__ = ["Reference", "References", "fold_key"]

logger = logging.getLogger(__name__)

# Increase it when the same config gives other numbers than before.
FORMAT = 4
# Keys of `evaluation` that do not change any metric.
_IRRELEVANT = ("block_scores", "by", "monitor", "test", "validation_users")  # see `fold_key`
_PER_USER, _RELEVANT = "per_user", "relevant"


@dataclass(frozen=True)
class Reference:
    """The metrics of one baseline on one holdout.

    Attributes:
        name: The baseline.
        measured: Its metrics.
        relevant: One row per held-out pair; see `relevant_frame`.
        conditions: See `Evaluation.conditions`.
        seconds: Wall time of its fit.
    """

    name: str
    measured: Measured
    relevant: pl.DataFrame
    conditions: str
    seconds: float


@dataclass(frozen=True)
class References:
    """Baselines on the parts of a split.

    Args:
        baselines: By name.
        evaluation: What measures them.
        config: What both were built from: the nodes `baselines` and `evaluation`.
        directory: Of the cache; several processes may share it.
        shows_progress: Whether rankings that take long show their progress.

    The caller names each fold by a `key`, see `fold_key`; equal keys must mean equal folds.
    """

    baselines: Mapping[str, Baseline]
    evaluation: Evaluation
    config: Mapping[str, Any]
    directory: Path
    shows_progress: bool = True

    def measure(self, fold: Fold, key: str) -> dict[str, Measured]:
        """Fit every baseline on the train part of `fold` and evaluate it on the holdout."""
        return {name: self.measure_one(name, fold, key).measured for name in self.baselines}

    def measure_one(self, name: str, fold: Fold, key: str) -> Reference:
        """Return the baseline `name`, from the cache if possible. Errors of a fit propagate."""

        def make() -> Entry:
            logger.info("baseline %s: fitted and measured on %s", name, key.rpartition("/")[2])
            start = time.perf_counter()
            scorer = self.baselines[name].fit(fold.train)
            seconds = time.perf_counter() - start
            if isinstance(scorer, HistoryScorer):
                scorer = scorer.with_histories(fold.train_histories)
            lists = self.evaluation.recommend(scorer, fold, self._title(name, key))
            reference = Reference(
                name=name,
                measured=self.evaluation.measure(lists, fold),
                relevant=relevant_frame(lists, fold),
                conditions=self.evaluation.conditions(fold),
                seconds=seconds,
            )
            return self._as_entry(reference, key)

        return _as_reference(cached(self.directory / self.identity(name, key), make))

    def identity(self, name: str, key: str) -> str:
        """Return a hash of everything that the metrics of a baseline depend on. It is also the path
        of the cache entry in `directory`."""
        # The source counts too, so that a user who edits a baseline sees its new metrics.
        code = _source(type(self.baselines[name]))
        return f"{self._folder(key)}/{digest_of([self.config['baselines'][name], code])}"

    def _title(self, name: str, key: str) -> str | None:
        return f"{name}, {key.rpartition('/')[2]}" if self.shows_progress else None

    def _folder(self, key: str) -> str:
        relevant = {k: v for k, v in self.config["evaluation"].items() if k not in _IRRELEVANT}
        made_by = [FORMAT, DEFINITION, version("twotower"), version("replay-rec")]
        own = [metric for metric in self.evaluation.metrics if not isinstance(metric, str)]
        return digest_of([key, relevant, made_by, *(_source(type(metric)) for metric in own)])

    def _as_entry(self, reference: Reference, key: str) -> Entry:
        note = {
            "name": reference.name,
            "key": key,
            "baseline": dict(self.config["baselines"][reference.name]),
            "evaluation": dict(self.config["evaluation"]),
            "conditions": reference.conditions,
            "seconds": reference.seconds,
            "values": reference.measured.values,
            "intervals": reference.measured.intervals,
        }
        return Entry({_PER_USER: reference.measured.per_user, _RELEVANT: reference.relevant}, note)


def fold_key(data: str, part: str, fold: Fold, *, on_train: bool = False) -> str:
    """Return the name of a fold in the cache.

    Args:
        data: Names the split, `SplitFrames.identity`.
        part: `validation` or `test`.
        fold: The fold, whose holdout may be a sample.
        on_train: Whether the fold of the test has the train part alone, without validation.
    """
    sample = fold.holdout.sampled_from is not None
    of_users = f"-of-{len(fold.holdout.users)}-users" if sample else ""
    return f"{data}/{part}{'-of-train' if on_train else ''}{of_users}"


def _source(component: type) -> str:
    """Return the text of the file that defines a class."""
    return Path(inspect.getfile(component)).read_text(encoding="utf-8")


def _as_reference(entry: Entry) -> Reference:
    note, per_user, relevant = entry.note, entry.frames[_PER_USER], entry.frames[_RELEVANT]
    assert per_user is not None
    assert relevant is not None
    intervals = {name: (low, high) for name, (low, high) in note["intervals"].items()}
    return Reference(
        name=note["name"],
        measured=Measured(note["values"], intervals, per_user),
        relevant=relevant,
        conditions=note["conditions"],
        seconds=note["seconds"],
    )
