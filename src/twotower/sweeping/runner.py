"""Runs planned trials: those that are missing, in whatever way a launcher has it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from twotower.core.errors import SweepError
from twotower.running.trial_context import noted_run
from twotower.sweeping.run_trial import is_settled, lost
from twotower.sweeping.sweep_progress import is_held
from twotower.sweeping.trial import Trial
from twotower.sweeping.trial_result import TrialResult
from twotower.tracking.base import Tracking
from twotower.tracking.environment import code_version
from twotower.tracking.signals import deferred_interrupts

__all__ = ["Launch", "Runner", "result_of"]

logger = logging.getLogger(__name__)

# Runs trials, given for each its overrides and the name of its folder as the last; gives back for
# each the error that broke it off before it could note it, or None.
Launch = Callable[[Sequence[Sequence[str]]], Sequence[Exception | None]]


@dataclass(frozen=True)
class Runner:
    """tracking: of all trials. parent_id: of the tracked run that they stand under."""

    launch: Launch
    tracking: Tracking
    parent_id: str | None

    def run(self, trials: Sequence[Trial]) -> None:
        """Launch those of `trials` that are not settled; what became of each is in its folder."""
        unique = {trial.spec.hash: trial for trial in trials}
        done = {hash_: known for hash_, trial in unique.items() if (known := self._settled(trial))}
        missing = [trial for hash_, trial in unique.items() if hash_ not in done]
        if done:
            logger.info("%d of %d trials are done already", len(done), len(unique))
            _tell_other_code(done.values())
        if not missing:
            return
        for trial in missing:
            replace(trial.spec, parent_id=self.parent_id).save(trial.folder)
        for trial, error in zip(missing, self._launched(missing), strict=True):
            if error is not None and self._settled(trial) is None:
                self._note_loss(trial, error)

    @contextmanager
    def orphans_ended(self, folder: Path) -> Iterator[None]:
        """Where the sweep in `folder` is broken off, end the runs of workers that could not."""
        try:
            yield
        except BaseException:
            with deferred_interrupts():
                for trial in folder.glob("trial-*"):
                    run_id = noted_run(trial)
                    if run_id is not None and not is_held(trial):  # else it ends its run by itself
                        self.tracking.end_orphan(run_id)
            raise

    def _settled(self, trial: Trial) -> TrialResult | None:
        """What became of a trial that has nothing left to do; None where it has.

        Nothing is left of a trial whose run was deleted, or that was not tracked then.
        """
        result = TrialResult.load(trial.folder)
        if result is None or not is_settled(result, trial.spec):
            return None
        if self.tracking.has_run(result.run_id):
            return result
        shutil.rmtree(trial.folder)
        return None

    def _launched(self, trials: Collection[Trial]) -> Sequence[Exception | None]:
        try:
            return self.launch([(*trial.line, trial.folder.name) for trial in trials])
        except Exception as error:  # of the launcher: a worker was killed, a cluster is gone
            return [error] * len(trials)

    def _note_loss(self, trial: Trial, error: Exception) -> None:
        run_id = noted_run(trial.folder)
        if run_id is not None:
            self.tracking.end_orphan(run_id)
        lost(trial.spec, error, run_id).save(trial.folder)


def result_of(trial: Trial) -> TrialResult:
    """What became of `trial`, told in the words of this command: an earlier one had others."""
    result = TrialResult.load(trial.folder)
    if result is None or result.hash != trial.spec.hash:
        error = SweepError("its process ended without a word")
        return lost(trial.spec, error, noted_run(trial.folder))
    spec = trial.spec
    return replace(
        result, name=spec.name, overrides=spec.overrides, varied=spec.varied, repeat=spec.repeat
    )


def _tell_other_code(done: Collection[TrialResult]) -> None:
    """Trials of other code may have come out differently."""
    now = code_version()
    others = {result.code for result in done} - {now}
    if others:
        logger.warning(
            "Some of them were run by other code (%s; this is %s): hydra.sweeper.resume=false "
            "runs all anew",
            "; ".join(sorted(others)),
            now,
        )
