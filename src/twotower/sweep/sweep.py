"""A sweep: its trials, run, gone on with and told as one."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from filelock import FileLock, Timeout

from twotower.config import Axis, build
from twotower.errors import ConfigError, SweepError
from twotower.experiment import Experiment
from twotower.look import sweep_links
from twotower.sweep.outcome import Outcome
from twotower.sweep.plan import SEED, Compose, Plan, PlannedTrial
from twotower.sweep.record import Record
from twotower.sweep.run_trial import is_settled, lost
from twotower.sweep.search import Asking, Search, Setting
from twotower.sweep.status import is_held
from twotower.sweep.story import tell
from twotower.sweep.table import SweepTable
from twotower.tracking.base import Tracking
from twotower.tracking.environment import code_version
from twotower.tracking.signals import deferred_interrupts, terminate_on_sigterm
from twotower.trial import RUN_NOTE

__all__ = ["Request", "Sweep"]

logger = logging.getLogger(__name__)

_LOCK_SECONDS = 2  # `twotower sweep status` holds the lock for a moment
Launch = Callable[[Sequence[Sequence[str]]], Sequence[Exception | None]]


@dataclass(frozen=True)
class Request:
    """What a command asks for.

    folder: of the sweep, the same for the same command. command: as people would type it.
    fixed: overrides that all trials share. axes: what varies.
    resume: whether to go on with what is there of earlier.
    """

    folder: Path
    command: str
    fixed: Sequence[str]
    axes: Sequence[Axis]
    search: Search
    resume: bool

    @property
    def settings(self) -> list[Axis]:
        """What varies, but for the seed."""
        return [axis for axis in self.axes if axis.key != SEED]

    @property
    def seeds(self) -> Axis | None:
        """Raises ConfigError where it is an interval."""
        seeds = next((axis for axis in self.axes if axis.key == SEED), None)
        if seeds is not None and seeds.choices is None:
            raise ConfigError("seed: got an interval; valid are whole numbers such as 0,1,2")
        return seeds

    @property
    def name(self) -> str:
        """Such as `emb_dim x num_negatives, 5 seeds`."""
        names = " x ".join(axis.key.rpartition(".")[2] for axis in self.settings)
        repeats = len(self.seeds.choices or ()) if self.seeds is not None else 1
        seeds = f"{repeats} seeds" if repeats > 1 else ""
        return ", ".join(part for part in (names, seeds) if part) or "one trial"

    @property
    def total(self) -> int:
        """Trials. Raises ConfigError for axes that the search cannot search."""
        repeats = len(self.seeds.choices or ()) if self.seeds is not None else 1
        return self.search.total(self.settings) * repeats


@dataclass(frozen=True)
class Sweep:
    """All trials of a command, one after another or as a launcher has it.

    compose: overrides -> checked config of a trial.
    launch: runs trials, given for each its overrides and the name of its folder as the last; gives
        back for each the error that broke it off before it could note it, or None.
    """

    request: Request
    compose: Compose
    launch: Launch

    def run(self) -> SweepTable:
        """Run what is missing, test what validation chose, log all of it and tell it.

        Raises SweepError at the end where a trial failed or diverged.
        """
        request = self.request
        plan = Plan(request.folder, request.fixed, request.seeds, request.total, self.compose)
        with _alone(request.folder), terminate_on_sigterm():
            if not request.resume:
                _clear(request.folder)
            config = self._first_config()
            experiment: Experiment = build(config)
            test = experiment.evaluation.test
            asking = request.search.start(request.settings, request.folder)
            batch = plan.trials(asking.ask(), tests=test == "all")  # checked before all else
            earlier = Record.load(request.folder)
            with experiment.tracking.run(
                name=experiment.run_name or f"sweep {request.name}",
                config=None,
                tags={"sweep.id": request.folder.name, "sweep.command": request.command},
                run_id=earlier.parent_id if earlier is not None else None,
            ) as run:
                record = Record(
                    folder=request.folder,
                    name=request.name,
                    command=request.command,
                    parent_id=run.id,
                    total=plan.total,
                    monitor=f"val/{experiment.evaluation.monitor_name}",
                    trials={},
                )
                tried: list[PlannedTrial] = []
                with _orphans_ended(request.folder, experiment.tracking):
                    while batch:
                        tried += self._try(batch, record, asking, experiment.tracking)
                        record = record.save(trials={t.folder.name: t.spec.name for t in tried})
                        batch = plan.trials(asking.ask(), tests=test == "all")
                    trials = list({trial.spec.hash: trial for trial in tried}.values())
                    table = _table(trials, record)
                    if test == "best" and table.best is not None:
                        chosen = {outcome.hash for outcome in table.best.finished}
                        again = [_tested(trial) for trial in trials if trial.spec.hash in chosen]
                        self._run(again, record, experiment.tracking)
                        table = _table(trials, record)
                tell(
                    table,
                    trials,
                    name=request.name,
                    command=request.command,
                    comparison=experiment.comparison,
                    test=test,
                    run=run,
                    folder=request.folder,
                    links=sweep_links(config, run.experiment_id, run.id, _run_ids(table)),
                )
                _raise_unfinished(table)
        return table

    def _first_config(self) -> dict[str, Any]:
        """That of the first setting: what is not swept is the same in all."""
        first = [a.override(a.choices[0] if a.choices else a.low) for a in self.request.axes]
        return self.compose([*self.request.fixed, *first])

    def _try(
        self,
        batch: Mapping[Setting, list[PlannedTrial]],
        record: Record,
        asking: Asking,
        tracking: Tracking,
    ) -> list[PlannedTrial]:
        """Run the trials of a batch and tell the search what came out."""
        trials = [trial for repeats in batch.values() for trial in repeats]
        record.save(trials=record.trials | {t.folder.name: t.spec.name for t in trials})
        self._run(trials, record, tracking)
        for setting, repeats in batch.items():
            done = [_outcome(trial) for trial in repeats]
            values = [o.metrics[record.monitor] for o in done if o.state == "finished"]
            pruned = any(outcome.state == "pruned" for outcome in done)
            asking.tell(setting, fmean(values) if values else None, pruned=pruned)
        return trials

    def _run(self, trials: Sequence[PlannedTrial], record: Record, tracking: Tracking) -> None:
        """Launch those of `trials` that are not settled yet."""
        for trial in trials:
            if _is_settled(trial) and not tracking.has_run(_outcome(trial).run_id):
                shutil.rmtree(trial.folder)  # its run was deleted, or it was not tracked then
        missing = {trial.spec.hash: trial for trial in trials if not _is_settled(trial)}
        n_done = len({trial.spec.hash for trial in trials}) - len(missing)
        if n_done:
            logger.info("%d of %d trials are done already", n_done, n_done + len(missing))
            _tell_other_code([trial for trial in trials if trial.spec.hash not in missing])
        if not missing:
            return
        for trial in missing.values():
            replace(trial.spec, parent_id=record.parent_id).save(trial.folder)
        for trial, error in zip(missing.values(), self._launched(missing.values()), strict=True):
            if error is not None and not _is_settled(trial):
                note = trial.folder / RUN_NOTE
                run_id = note.read_text() if note.exists() else None
                if run_id is not None:
                    tracking.end_orphan(run_id)
                replace(lost(trial.spec, error), run_id=run_id).save(trial.folder)

    def _launched(self, trials: Collection[PlannedTrial]) -> Sequence[Exception | None]:
        try:
            return self.launch([(*trial.line, trial.folder.name) for trial in trials])
        except Exception as error:  # of the launcher: a worker was killed, a cluster is gone
            return [error] * len(trials)


def _table(trials: Sequence[PlannedTrial], record: Record) -> SweepTable:
    return SweepTable(tuple(_outcome(trial) for trial in trials), record.monitor)


def _run_ids(table: SweepTable) -> list[str]:
    """Of the finished trials, best setting first."""
    finished = [outcome for setting in table.settings for outcome in setting.finished]
    return [outcome.run_id for outcome in finished if outcome.run_id is not None]


def _outcome(trial: PlannedTrial) -> Outcome:
    outcome = Outcome.load(trial.folder)
    if outcome is None or outcome.hash != trial.spec.hash:
        return lost(trial.spec, SweepError("its process ended without a word"))
    # As this command has it: an earlier one may have told it in other words.
    spec = trial.spec
    return replace(outcome, name=spec.name, overrides=spec.overrides, varied=spec.varied)


def _is_settled(trial: PlannedTrial) -> bool:
    outcome = Outcome.load(trial.folder)
    return outcome is not None and is_settled(outcome, trial.spec)


def _tested(trial: PlannedTrial) -> PlannedTrial:
    return replace(trial, spec=replace(trial.spec, tests=True))


def _tell_other_code(done: Sequence[PlannedTrial]) -> None:
    """Trials of other code may have come out differently."""
    now = code_version()
    others = {code for trial in done if (code := _outcome(trial).code) != now}
    if others:
        logger.warning(
            "Some of them were run by other code (%s; this is %s): hydra.sweeper.resume=false "
            "runs all anew",
            "; ".join(sorted(others)),
            now,
        )


def _raise_unfinished(table: SweepTable) -> None:
    counts = {
        state: sum(outcome.state == state for outcome in table.outcomes)
        for state in ("failed", "diverged")
    }
    if any(counts.values()):
        told = " and ".join(f"{count} {state}" for state, count in counts.items() if count)
        raise SweepError(
            f"of {len(table.outcomes)} trials {told}; the others are done"
            + ("; the same command tries those that failed again" if counts["failed"] else "")
        )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Raises ConfigError where another process runs this sweep."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock", timeout=_LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout as error:
        raise ConfigError(
            f"this sweep is running already, in another process ({folder}); "
            "`twotower sweep status` tells how far it is"
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _orphans_ended(folder: Path, tracking: Tracking) -> Iterator[None]:
    """Where the sweep is broken off, end the runs of workers that were ended before they could."""
    try:
        yield
    except BaseException:
        with deferred_interrupts():
            for note in folder.glob(f"*/{RUN_NOTE}"):
                if not is_held(note.parent):  # else it lives and ends its run by itself
                    tracking.end_orphan(note.read_text())
        raise


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name != ".lock":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
