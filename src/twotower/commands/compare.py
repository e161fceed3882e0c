"""`twotower compare`: earlier runs, or the trials of a sweep, compared user by user."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from twotower.comparison import Compared, Comparison, Model, Repeat
from twotower.core.component import component
from twotower.core.console import visible
from twotower.core.errors import ConfigError, DataError, RunNotFoundError
from twotower.core.table_file import require_table_suffix, write_table
from twotower.core.writable import require_writable_file
from twotower.reporting.comparison import print_compared
from twotower.tracking.load import (
    FoundRun,
    download,
    find_run,
    find_sweep,
    find_trials,
)
from twotower.tracking.mlflow_tracking import MlflowTracking
from twotower.tracking.tags import EVALUATION_TAG, MONITOR_TAG, REPEAT_TAG
from twotower.types.metric_name import MetricName

__all__ = ["Compare"]

_SETTING, _DIGEST, _PARENT = "trial.setting", "split.digest", "mlflow.parentRunId"
_PARTS = {"validation": "val", "test": "test"}  # as metrics are named
_SHORT_ID = 8


@component
@dataclass(frozen=True)
class Compare:
    """Settings of the command; each is explained in conf/compare.yaml."""

    runs: Annotated[list[str], Field(min_length=2)] | None
    sweep: str | None
    part: Literal["validation", "test"]
    metric: str | None
    file: str | None
    output_dir: str
    comparison: Comparison
    tracking: MlflowTracking

    def __post_init__(self) -> None:
        """Raise ConfigError unless one of `runs` and `sweep` is given, or for an unknown suffix."""
        if (self.runs is None) == (self.sweep is None):
            got = "neither" if self.runs is None else "both"
            raise ConfigError(
                f"runs, sweep: got {got}; must be one of them, such as sweep=latest or "
                'runs=[4e1c,"my run"]'
            )
        if self.file is not None:
            require_table_suffix("file", self.file)

    def __call__(self) -> Compared:
        """Print and return the comparison, and write its tables if `file` is set."""
        if self.file is not None:
            require_writable_file("file", self.file)
        compared = self.compare()
        print(f"on the {self.part} part:")
        print_compared(compared)
        if self.part == "test":
            print(
                "This is the test part, to report results. Choose a model with part=validation: "
                "choosing on the test part leaves nothing to judge the choice by."
            )
        if self.file is not None:
            for path in _write(compared, self.file):
                print(visible(f"written to {path}"))
        return compared

    def compare(self) -> Compared:
        """Return the comparison.

        Raises:
            RunNotFoundError: a run, or its per-user values, do not exist.
            DataError: the runs cannot be compared; see `Comparison.compare`.
        """
        comparison = self.comparison
        if self.metric is not None:
            comparison = replace(comparison, metric=self.metric)
        found = self._found()
        metric = comparison.metric or _monitor(found)
        return comparison.compare(self._models(found), metric)

    def _found(self) -> list[FoundRun]:
        uri, experiment = self.tracking.uri, self.tracking.experiment_name
        if self.sweep is not None:
            sweep = find_sweep(uri, experiment, self.sweep)
            found = find_trials(uri, sweep.id)
            if not found:
                raise RunNotFoundError(f"Sweep {sweep.id} ({sweep.name}) has no finished trial.")
            return found
        names = self.runs or []
        found = [find_run(uri, experiment, name) for name in names]
        ids = [run.id for run in found]
        for place, run_id in enumerate(ids):
            if (first := ids.index(run_id)) < place:
                raise ConfigError(
                    f"runs: {names[first]!r} and {names[place]!r} are one run, {run_id}"
                )
        return found

    def _models(self, found: Sequence[FoundRun]) -> list[Model]:
        """Trials of one sweep that repeat a setting are one model, other runs their own."""
        groups: dict[tuple[str | None, ...], list[FoundRun]] = {}
        for run in found:
            repeated = (run.tags.get(_PARENT), run.tags[_SETTING]) if _SETTING in run.tags else ()
            groups.setdefault(repeated or (run.id,), []).append(run)
        names = _names(list(groups.values()))
        with TemporaryDirectory(prefix="twotower-") as folder:
            return [
                Model(
                    name=name,
                    repeats=[self._repeat(run, folder) for run in sorted(runs, key=_repeat_order)],
                    parameters=runs[0].metrics.get("model/parameters"),
                    values=_means(runs, _PARTS[self.part]),
                )
                for name, runs in zip(names, groups.values(), strict=True)
            ]

    def _repeat(self, run: FoundRun, folder: str) -> Repeat:
        per_user = self._frame(run, "per_user", folder)
        return Repeat(
            per_user=per_user,
            relevant=self._frame(run, "relevant", folder),
            split=_tag(run, _DIGEST, "its split is not known"),
            evaluation=_tag(
                run,
                f"{EVALUATION_TAG}.{self.part}",
                "an earlier version of twotower made it, and how it was evaluated is not known; "
                "run it again",
            ),
        )

    def _frame(self, run: FoundRun, name: str, folder: str) -> pl.DataFrame:
        target = Path(folder, run.id)
        target.mkdir(exist_ok=True)
        try:
            path = download(self.tracking.uri, run.id, f"{self.part}/{name}.parquet", target)
        except RunNotFoundError as error:
            raise RunNotFoundError(
                f"part={self.part}: run {run.name!r} was not evaluated on it. {error}"
            ) from error
        return pl.read_parquet(path)


def _tag(run: FoundRun, tag: str, without: str) -> str:
    if tag not in run.tags:
        raise DataError(f"run {run.id} ({run.name}) has no tag {tag}: {without}")
    return run.tags[tag]


def _monitor(found: Sequence[FoundRun]) -> str:
    """Return the metric that all runs were selected by."""
    by_monitor: dict[str, list[str]] = {}
    for run in found:
        monitor = _tag(run, MONITOR_TAG, "give `metric`, such as metric=ndcg_at_10")
        by_monitor.setdefault(monitor, []).append(run.name)
    if len(by_monitor) > 1:
        listed = "; ".join(f"{metric}: {', '.join(names)}" for metric, names in by_monitor.items())
        raise ConfigError(
            f"metric: got null, but the runs were chosen by different metrics ({listed}); "
            f"must be a metric that all of them have, such as {next(iter(by_monitor))}"
        )
    return next(iter(by_monitor))


def _repeat_order(run: FoundRun) -> tuple[str, datetime]:
    return run.tags.get(REPEAT_TAG, ""), run.started


def _means(runs: Sequence[FoundRun], part: str) -> dict[str, float]:
    """Means over `runs` of the metrics that all have, by names such as `ndcg_at_10`."""
    parsed = {name: MetricName.parse(name) for name in runs[0].metrics}
    return {
        metric.bare: fmean(run.metrics[name] for run in runs)
        for name, metric in parsed.items()
        if metric.part == part and metric.k is not None
        if all(name in run.metrics for run in runs)
    }


def _names(groups: Sequence[Sequence[FoundRun]]) -> list[str]:
    """Return the setting or the name of each run, with the start of its id where names repeat."""
    names = [runs[0].tags.get(_SETTING) or runs[0].name for runs in groups]
    return [
        name if names.count(name) == 1 else f"{name} ({runs[0].id[:_SHORT_ID]})"
        for name, runs in zip(names, groups, strict=True)
    ]


def _write(compared: Compared, file: str) -> Iterator[str]:
    stem, _, suffix = file.rpartition(".")
    for name, frame in compared.tables.items():
        path = f"{stem}-{name}.{suffix}"
        write_table(frame, path)
        yield path
