"""The trials of a sweep as a table: one row per setting, its repeats together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from twotower.config import render_value
from twotower.config.naming import labels
from twotower.sweeping.setting_result import SettingResult, place_of
from twotower.sweeping.trial_result import TrialResult
from twotower.types.metric_name import MetricName, shown_metrics

__all__ = ["SweepTable"]


@dataclass(frozen=True)
class SweepTable:
    """The results of a sweep.

    Attributes:
        results: one per trial.
        monitor: the metric that trials are ranked by, such as `val/ndcg_at_10`.
    """

    results: tuple[TrialResult, ...]
    monitor: str

    @cached_property
    def keys(self) -> list[str]:
        """The keys that vary, such as `tower.emb_dim`, in the order of the command line."""
        return list(dict.fromkeys(key for result in self.results for key in result.varied))

    @cached_property
    def labels(self) -> dict[str, str]:
        """The shortest unambiguous end of each key, such as `emb_dim`."""
        return labels(self.keys)

    @cached_property
    def settings(self) -> list[SettingResult]:
        """The settings, best mean of `monitor` first.

        Settings that lack a fold follow, since their means are over other folds than the rest;
        those without a finished trial are last.
        """
        groups: dict[str, list[TrialResult]] = {}
        for result in self.results:
            groups.setdefault(repr(sorted(result.varied.items())), []).append(result)
        settings = [SettingResult(group[0].varied, tuple(group)) for group in groups.values()]
        return sorted(settings, key=self._rank)

    @property
    def best(self) -> SettingResult | None:
        """The first setting; None if no trial finished."""
        first = self.settings[0] if self.settings else None
        return first if first is not None and first.finished else None

    @cached_property
    def metrics(self) -> list[str]:
        """Every validation metric except the loss, `monitor` first."""
        names = dict.fromkeys(name for result in self.results for name in result.metrics)
        parsed = {name: MetricName.parse(name) for name in names}
        known = [n for n, p in parsed.items() if p.part == "val" and p.metric != "loss"]
        return sorted(known, key=lambda name: name != self.monitor)

    @cached_property
    def shown(self) -> list[str]:
        """The metrics of tables and figures, `monitor` first."""
        return shown_metrics(self.metrics, self.monitor) or [self.monitor]

    def frame(self) -> pl.DataFrame:
        """Return one row per trial, best setting first: varied keys, seed, state, metrics, run id.

        A column has one type: lists, and values of several types such as 10 and `auto`, are text.
        """
        rows: list[dict[str, Any]] = []
        for rank, setting in enumerate(self.settings, start=1):
            rows += [self._row(rank, setting, result) for result in setting.results]
        for key in self.keys:
            if not _of_one_type([row[key] for row in rows]):
                rows = [{**row, key: _text(row[key])} for row in rows]
        return pl.DataFrame(rows, infer_schema_length=None)

    def _row(self, rank: int, setting: SettingResult, result: TrialResult) -> dict[str, Any]:
        ends = {
            f"{name}_{end}": value
            for name, interval in result.intervals.items()
            for end, value in zip(("low", "high"), interval, strict=True)
        }
        return {
            "rank": rank,
            "name": setting.name,
            **{key: setting.varied.get(key) for key in self.keys},
            "seed": result.seed,
            **{key: result.repeat.get(key) for key in self.repeat_keys if key != "seed"},
            "state": result.state,
            **result.metrics,
            **ends,
            "run_id": result.run_id,
            "overrides": " ".join(result.overrides),
            "error": result.error,
        }

    @cached_property
    def repeat_keys(self) -> list[str]:
        """The keys that repeat settings, such as `split.fold`."""
        return list(dict.fromkeys(key for result in self.results for key in result.repeat))

    @cached_property
    def _places(self) -> frozenset[tuple[Any, ...]]:
        return frozenset(place_of(result) for result in self.results)

    def _rank(self, setting: SettingResult) -> tuple[bool, bool, float]:
        value = setting.mean(self.monitor)
        lacks = setting.places != self._places
        return (value is None, lacks, 0.0 if value is None else -value)


def _of_one_type(values: Sequence[Any]) -> bool:
    """Return whether a typed column can hold the values unchanged."""
    types = {type(value) for value in values if value is not None}
    small = all(abs(value) < 2**63 for value in values if isinstance(value, int))
    return small and types <= {bool, int, float, str} and (len(types) < 2 or types == {int, float})


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else render_value(value)
