"""Run one trial of a sweep, in the process that the launcher started for it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import polars as pl
from filelock import FileLock

from twotower.config.naming import setting_name
from twotower.core.errors import TrainingError, TwoTowerError
from twotower.core.files import read_json, write_json
from twotower.core.numbers import score
from twotower.running.artifacts import summary
from twotower.running.experiment import Experiment, Report
from twotower.running.result import Result
from twotower.running.trial_context import Pruned, TrialContext
from twotower.sweeping.trial_result import State, TrialResult
from twotower.sweeping.trial_spec import TrialSpec
from twotower.tracking.chart_view import COLOR_TAG, color
from twotower.tracking.environment import code_version
from twotower.tracking.tags import REPEAT_TAG
from twotower.training import OnEpoch
from twotower.types.metric_name import MetricName

__all__ = ["is_settled", "lost", "run_trial"]

_EPOCHS = "epochs.json"
logger = logging.getLogger(__name__)


def run_trial(
    experiment: Experiment,
    spec: TrialSpec,
    folder: Path,
    report: Report,
    watch: OnEpoch | None,
) -> TrialResult:
    """Run the trial and save its result in `folder`; an error becomes part of the result.

    The trial resumes from what an interrupted process left there. Only one process at a time runs
    a trial: a second one waits, and finds it finished.

    Args:
        report: see `Experiment.run`.
        watch: called after each epoch; may raise Pruned.
    """
    with FileLock(folder / ".lock"), _data_messages_silenced():
        known = TrialResult.load(folder)
        if known is not None and is_settled(known, spec):
            return known
        result = _run(experiment, spec, folder, report, watch)
        result.save(folder)
    _log(result, spec, experiment.evaluation.monitor_name)
    return result


@contextmanager
def _data_messages_silenced() -> Iterator[None]:
    """Silence messages about the data, which the sweep has logged once for all trials."""
    loggers = [logging.getLogger(f"twotower.{part}") for part in ("dataset", "running", "split")]
    levels = [each.level for each in loggers]
    try:
        for each in loggers:
            each.setLevel(logging.WARNING)
        yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)


def is_settled(result: TrialResult, spec: TrialSpec) -> bool:
    """Return whether a trial has nothing left to do.

    A failed trial is retried. One that was measured against other baselines is measured again,
    with its trained weights.
    """
    if result.hash != spec.hash or result.state == "failed":
        return False
    if result.state != "finished":
        return True
    return result.baselines == spec.baselines and (result.tested or not spec.tests)


def lost(spec: TrialSpec, error: Exception, run_id: str | None) -> TrialResult:
    """Return the result of a trial whose process died before it could save one."""
    return _ended(spec, "failed", run_id, error)


def _run(
    experiment: Experiment,
    spec: TrialSpec,
    folder: Path,
    report: Report,
    watch: OnEpoch | None,
) -> TrialResult:
    noted = folder / _EPOCHS  # also holds the epochs before an interruption
    rows = {row["epoch"]: row for row in read_json(noted) or []}

    def on_epoch(epoch: int, metrics: Mapping[str, float]) -> None:
        rows[epoch] = {"epoch": epoch, **metrics}
        write_json(noted, list(rows.values()))
        if watch is not None:
            watch(epoch, metrics)

    number = int(spec.place.partition("/")[0]) - 1
    tags = {"trial.hash": spec.hash, "trial.setting": spec.setting, COLOR_TAG: color(number)}
    tags[REPEAT_TAG] = setting_name(spec.repeat)
    if spec.parent_id is not None:
        tags["mlflow.parentRunId"] = spec.parent_id
    trial = TrialContext(folder, tags, spec.tests, on_epoch)

    def ended(state: State, error: BaseException) -> TrialResult:
        epochs = list(rows.values())
        history = pl.DataFrame(epochs, infer_schema_length=None) if epochs else None
        return replace(_ended(spec, state, trial.run_id, error), history=history)

    try:
        return _finished(spec, experiment.run(spec.name, report, trial))
    except Pruned as pruned:
        monitor = experiment.evaluation.val_monitor
        validated = [row for row in rows.values() if monitor in row]
        best = max(validated, key=lambda row: row[monitor])
        seen = {name: value for name, value in best.items() if MetricName.parse(name).part == "val"}
        return replace(ended("pruned", pruned), metrics=seen)
    except TrainingError as diverged:
        return ended("diverged", diverged)
    except Exception as error:  # the other trials still run
        if not isinstance(error, TwoTowerError):
            logger.exception("%s failed", spec.name)
        return ended("failed", error)


def _finished(spec: TrialSpec, run: Result) -> TrialResult:
    validation = run.validation
    assert validation is not None, "a sweep without validation is refused before it starts"
    return replace(
        _ended(spec, "finished", run.run_id, None),
        metrics=summary(run),
        intervals=validation.intervals | (run.test.intervals if run.test else {}),
        warnings=tuple(run.warnings),
        evaluation=validation.conditions,
        history=run.fits[0].history,
        per_user=validation.measured.per_user,
        relevant=validation.relevant,
    )


def _ended(
    spec: TrialSpec, state: State, run_id: str | None, error: BaseException | None
) -> TrialResult:
    """Return a result without measurements."""
    message = None if error is None else f"{type(error).__name__}: {error}".partition("\n")[0]
    return TrialResult(
        hash=spec.hash,
        name=spec.name,
        overrides=spec.overrides,
        varied=spec.varied,
        repeat=spec.repeat,
        baselines=spec.baselines,
        seed=spec.seed,
        state=state,
        run_id=run_id,
        error=message,
        metrics={},
        intervals={},
        warnings=(),
        code=code_version(),
        evaluation="",
        history=None,
        per_user=None,
        relevant=None,
    )


def _log(result: TrialResult, spec: TrialSpec, monitor: str) -> None:
    """Log one line for each trial, when it ends."""
    prefix = "test" if result.tested else "val"
    name = MetricName.parse(monitor).on(prefix)
    value = result.metrics.get(str(name))
    text = result.error or result.state
    if value is not None:
        seconds = result.metrics.get("train/seconds")
        text = f"{prefix} {name.title} {score(value)}"
        text += f", {seconds:.1f} s" if seconds is not None else f", {result.state}"
    logger.info("[%s] %s: %s", spec.place, spec.name, text)
