"""Measured baselines, kept on disk: each is fitted once for a split, however many runs follow.

The cache saves time only. Which baselines a run shows follows from its config, never from what is
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

__all__ = ["Reference", "References"]

logger = logging.getLogger(__name__)

# Count up when the same config comes to other numbers than before.
FORMAT = 3
# Keys of `evaluation` that change nothing of what is measured.
_IRRELEVANT = ("block_scores", "monitor", "test")
_PER_USER, _RELEVANT = "per_user", "relevant"


@dataclass(frozen=True)
class Reference:
    """A measured baseline.

    relevant: one row a held-out pair, see `relevant_frame`. conditions: see
    `Evaluation.conditions`. seconds: wall time of its fit, when it was fitted.
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

    A `key` says which fold is meant, in words of the caller's, such as `<split digest>/validation`:
    under one key there must come one fold alone.
    """

    baselines: Mapping[str, Baseline]
    evaluation: Evaluation
    config: Mapping[str, Any]
    directory: Path

    def measure(self, fold: Fold, key: str) -> dict[str, Measured]:
        """Each baseline fitted on the train part of `fold` and judged by its holdout."""
        return {name: self.measure_one(name, fold, key).measured for name in self.baselines}

    def measure_one(self, name: str, fold: Fold, key: str) -> Reference:
        """The baseline `name`, from the cache where it is there. What a fit raises goes on."""

        def make() -> Entry:
            logger.info("baseline %s: fitted and measured on %s", name, key.rpartition("/")[2])
            start = time.perf_counter()
            scorer = self.baselines[name].fit(fold.train)
            seconds = time.perf_counter() - start
            if isinstance(scorer, HistoryScorer):
                scorer = scorer.told(fold.train_histories)
            lists = self.evaluation.recommend(scorer, fold)
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
        """What the numbers of the baseline under `key` follow from, as a hash; the same where
        they are. The entry's path below `directory`."""
        # With the code of its file, too: whoever mends a baseline of their own sees the outcome.
        code = Path(inspect.getfile(type(self.baselines[name]))).read_text(encoding="utf-8")
        return f"{self._folder(key)}/{digest_of([self.config['baselines'][name], code])}"

    def _folder(self, key: str) -> str:
        relevant = {k: v for k, v in self.config["evaluation"].items() if k not in _IRRELEVANT}
        made_by = [FORMAT, DEFINITION, version("twotower"), version("replay-rec")]
        return digest_of([key, relevant, made_by])

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
