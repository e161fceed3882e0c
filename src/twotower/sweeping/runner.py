"""Run the planned trials that are missing, with a launcher."""

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
from twotower.sweeping.trial_result import TrialResult
from twotower.sweeping.trial_spec import Trial
from twotower.tracking.base import Tracking
from twotower.tracking.environment import code_version
from twotower.tracking.signals import deferred_interrupts

__all__ = ["Launch", "Runner", "result_of"]

logger = logging.getLogger(__name__)

# Runs trials. Each is given as its overrides, followed by the name of its folder. Returns for each
# None, or the error that ended it before it could save a result.
Launch = Callable[[Sequence[Sequence[str]]], Sequence[Exception | None]]


@dataclass(frozen=True)
class Runner:
    """Runs trials.

    Attributes:
        tracking: of all trials.
        parent_id: the parent of the tracked runs of the trials; None without tracking.
    """

    launch: Launch
    tracking: Tracking
    parent_id: str | None

    def run(self, trials: Sequence[Trial]) -> None:
        """Launch the trials that are not settled. Each saves its result in its folder."""
        unique = {trial.spec.hash: trial for trial in trials}
        done = {hash_: known for hash_, trial in unique.items() if (known := self._settled(trial))}
        missing = [trial for hash_, trial in unique.items() if hash_ not in done]
        if done:
            logger.info("%d of %d trials are done already", len(done), len(unique))
            _warn_of_other_code(done.values())
        if not missing:
            return
        for trial in missing:
            replace(trial.spec, parent_id=self.parent_id).save(trial.folder)
        for trial, error in zip(missing, self._launched(missing), strict=True):
            if error is not None and self._settled(trial) is None:
                self._note_loss(trial, error)

    @contextmanager
    def orphans_ended(self, folder: Path) -> Iterator[None]:
        """When the sweep in `folder` is interrupted, end the runs whose workers could not."""
        try:
            yield
        except BaseException:
            with deferred_interrupts():
                for trial in folder.glob("trial-*"):
                    run_id = noted_run(trial)
                    if run_id is not None and not is_held(trial):  # else its process ends the run
                        self.tracking.end_orphan(run_id)
            raise

    def _settled(self, trial: Trial) -> TrialResult | None:
        """Return the result of a settled trial; None if the trial has to run.

        A trial whose tracked run was deleted, or that was not tracked, is removed and runs again.
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
        except Exception as error:  # from the launcher: a worker was killed, a cluster is gone
            return [error] * len(trials)

    def _note_loss(self, trial: Trial, error: Exception) -> None:
        run_id = noted_run(trial.folder)
        if run_id is not None:
            self.tracking.end_orphan(run_id)
        lost(trial.spec, error, run_id).save(trial.folder)


def result_of(trial: Trial) -> TrialResult:
    """Return the result of `trial`, with the names and overrides of this command."""
    result = TrialResult.load(trial.folder)
    if result is None or result.hash != trial.spec.hash:
        error = SweepError("its process died before it could save a result")
        return lost(trial.spec, error, noted_run(trial.folder))
    spec = trial.spec
    return replace(
        result, name=spec.name, overrides=spec.overrides, varied=spec.varied, repeat=spec.repeat
    )


def _warn_of_other_code(done: Collection[TrialResult]) -> None:
    """Warn if finished trials were run by other code, which may give other results."""
    now = code_version()
    others = {result.code for result in done} - {now}
    if others:
        logger.warning(
            "Some of them were run by other code (%s; this is %s): hydra.sweeper.resume=false "
            "reruns all",
            "; ".join(sorted(others)),
            now,
        )
