"""The results of one setting, its repeats together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, stdev
from typing import Any

from twotower.config import REPEATS
from twotower.config.naming import setting_name
from twotower.sweeping.trial_result import TrialResult

__all__ = ["SettingResult", "place_of", "repeat_words"]


@dataclass(frozen=True)
class SettingResult:
    """Trials of one setting, which differ only in their seed or fold."""

    varied: dict[str, Any]
    results: tuple[TrialResult, ...]

    @property
    def name(self) -> str:
        """Such as `emb_dim=32 num_negatives=10`."""
        return setting_name(self.varied) or f"all {repeat_words(self.results) or 'trials'}"

    @cached_property
    def finished(self) -> tuple[TrialResult, ...]:
        return tuple(result for result in self.results if result.state == "finished")

    def mean(self, metric: str) -> float | None:
        """Return the mean over the finished repeats; None if none has the metric."""
        values = self._values(metric)
        return fmean(values) if values else None

    def spread(self, metric: str) -> float | None:
        """Return the standard deviation over the finished repeats; None for fewer than two."""
        values = self._values(metric)
        return stdev(values) if len(values) > 1 else None

    @property
    def places(self) -> frozenset[tuple[Any, ...]]:
        """The folds that have a finished repeat."""
        return frozenset(place_of(result) for result in self.finished)

    def _values(self, metric: str) -> list[float]:
        return [o.metrics[metric] for o in self.finished if metric in o.metrics]


def repeat_words(results: Sequence[TrialResult]) -> str:
    """Return what repeats these trials: `folds and seeds`; empty without repeats."""
    keys = {key for result in results for key in result.repeat}
    return " and ".join(word for key, word in REPEATS.items() if key in keys)


def place_of(result: TrialResult) -> tuple[Any, ...]:
    return tuple(value for key, value in sorted(result.repeat.items()) if key != "seed")
