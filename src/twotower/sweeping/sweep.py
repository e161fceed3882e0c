"""A sweep: runs its trials, resumes them, and returns their results as one table."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from filelock import FileLock, Timeout

from twotower.config import build_as
from twotower.core.errors import ConfigError, SweepError
from twotower.running.shared import forget
from twotower.sweeping.plan import Compose, Plan
from twotower.sweeping.runner import Launch, Runner, result_of
from twotower.sweeping.search import Asking, Setting
from twotower.sweeping.sweep_file import SweepFile
from twotower.sweeping.sweep_result import SweepResult
from twotower.sweeping.sweep_settings import SweepSettings
from twotower.sweeping.sweep_spec import SweepSpec
from twotower.sweeping.sweep_table import SweepTable
from twotower.sweeping.trial_spec import Trial
from twotower.tracking.signals import terminate_on_sigterm

__all__ = ["Sweep"]

Batch = Mapping[Setting, Sequence[Trial]]
_LOCK_SECONDS = 2  # `twotower sweep status` holds the lock for a moment


@dataclass(frozen=True)
class Sweep:
    """Runs all trials of a command.

    Attributes:
        compose: returns the checked config of a trial for its overrides.
        launch: runs trials, see `Launch`.
    """

    spec: SweepSpec
    compose: Compose
    launch: Launch

    def run(self, report: Callable[[SweepResult], object]) -> SweepTable:
        """Run the trials that are missing and test the setting that validation chose.

        Args:
            report: called with the result while the sweep's tracked run is still open.

        Raises:
            SweepError: at the end, if a trial failed or diverged.
        """
        spec = self.spec
        plan = Plan(spec.folder, spec.fixed, spec.repeats, spec.total, self.compose)
        with _alone(spec.folder), terminate_on_sigterm(), _sharing():
            if not spec.resume:
                _clear(spec.folder)
            config = self._first_config()
            settings = build_as(SweepSettings, config)
            test = settings.evaluation.test
            asking = spec.search.start(spec.settings, spec.folder)
            batch = plan.trials(asking.ask(), tests=test == "all")  # checked before anything else
            earlier = SweepFile.load(spec.folder)
            with settings.tracking.run(
                name=settings.run_name or f"sweep {spec.name}",
                config=None,
                tags={"sweep.id": spec.folder.name, "sweep.command": spec.command},
                run_id=earlier.parent_id if earlier is not None else None,
            ) as run:
                record = SweepFile(
                    folder=spec.folder,
                    name=spec.name,
                    command=spec.command,
                    parent_id=run.id,
                    total=plan.total,
                    monitor=settings.evaluation.val_monitor,
                    trials={},
                )
                runner = Runner(self.launch, settings.tracking, run.id)
                with runner.orphans_ended(spec.folder):
                    trials = _search(plan, asking, batch, runner, record, test)
                    table = _table(trials, record)
                    if test == "best" and table.best is not None:
                        chosen = {result.hash for result in table.best.finished}
                        runner.run([_tested(t) for t in trials if t.spec.hash in chosen])
                        table = _table(trials, record)
                report(
                    SweepResult(
                        table=table,
                        trials=trials,
                        spec=spec,
                        config=config,
                        settings=settings,
                        run=run,
                    )
                )
                _raise_unfinished(table)
        return table

    def _first_config(self) -> dict[str, Any]:
        """Return the config of the first setting: what is not swept is the same in all."""
        first = [a.override(a.choices[0] if a.choices else a.low) for a in self.spec.axes]
        return self.compose([*self.spec.fixed, *first])


def _search(
    plan: Plan,
    asking: Asking,
    batch: Batch,
    runner: Runner,
    record: SweepFile,
    test: str,
) -> list[Trial]:
    """Run `batch`, and what the search asks for after it; every trial once."""
    tried: dict[str, Trial] = {}  # by hash
    while batch:
        trials = [trial for repeats in batch.values() for trial in repeats]
        tried |= {trial.spec.hash: trial for trial in trials}
        record.save(trials={trial.folder.name: trial.spec.name for trial in tried.values()})
        runner.run(trials)
        _report_to_search(asking, batch, record.monitor)
        batch = plan.trials(asking.ask(), tests=test == "all")
    return list(tried.values())


def _report_to_search(asking: Asking, batch: Batch, monitor: str) -> None:
    """Report to the search the mean of each setting over its repeats."""
    for setting, repeats in batch.items():
        done = [result_of(trial) for trial in repeats]
        values = [o.metrics[monitor] for o in done if o.state == "finished"]
        pruned = any(result.state == "pruned" for result in done)
        asking.tell(setting, fmean(values) if values else None, pruned=pruned)


def _table(trials: Sequence[Trial], record: SweepFile) -> SweepTable:
    return SweepTable(tuple(result_of(trial) for trial in trials), record.monitor)


def _tested(trial: Trial) -> Trial:
    return replace(trial, spec=replace(trial.spec, tests=True))


def _raise_unfinished(table: SweepTable) -> None:
    counts = {
        state: sum(result.state == state for result in table.results)
        for state in ("failed", "diverged")
    }
    if any(counts.values()):
        ended = " and ".join(f"{count} {state}" for state, count in counts.items() if count)
        error = SweepError(
            f"{ended} of {len(table.results)} trials; the others are done"
            + ("; rerun the command to retry the failed ones" if counts["failed"] else "")
        )
        error.table = table
        raise error


@contextmanager
def _sharing() -> Iterator[None]:
    """Free, at the end, what the trials of this process share."""
    try:
        yield
    finally:
        forget()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of the sweep; raise ConfigError if another process runs it."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock", timeout=_LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout as error:
        raise ConfigError(
            f"this sweep is running already, in another process ({folder}); "
            "`twotower sweep status` shows its progress"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name != ".lock":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
