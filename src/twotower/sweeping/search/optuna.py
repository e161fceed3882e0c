"""Search by Optuna: learns from finished trials, and prunes hopeless ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import NonNegativeInt, PositiveInt

from twotower.config import Axis, Contract
from twotower.core.component import component
from twotower.core.errors import ConfigError
from twotower.running.trial_context import Pruned
from twotower.sweeping.search.base import Setting
from twotower.sweeping.search.study import (
    is_range,
    labels,
    open_study,
    quiet,
    resume_study,
    space_of,
)
from twotower.training import OnEpoch

if TYPE_CHECKING:  # slow to import
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

__all__ = ["OptunaSearch"]


@component
@dataclass(frozen=True)
class OptunaSearch:
    """A search by one of Optuna's samplers, with pruning by one of its pruners.

    The study is in the folder of the sweep, in an Optuna journal that processes share. A resumed
    search first asks for its earlier trials, finished or not.
    """

    n_trials: PositiveInt
    n_jobs: PositiveInt
    seed: NonNegativeInt
    sampler: Annotated[Callable[..., Any], Contract("optuna.samplers.BaseSampler")]
    pruner: Annotated[Callable[..., Any], Contract("optuna.pruners.BasePruner")] | None

    def total(self, axes: Sequence[Axis]) -> int:
        """See Search."""
        if not axes:
            raise ConfigError(
                "hydra/sweeper=optuna: nothing varies; expected choices such as a=1,2,3, or a range"
            )
        return self.n_trials

    def start(self, axes: Sequence[Axis], folder: Path) -> _Asking:
        """See Search."""
        study = resume_study(folder, space_of(axes))
        with quiet():
            # A resumed search needs another seed: the same one would draw the same settings.
            study.sampler = self.sampler(seed=self.seed + len(study.trials))
        return _Asking(study, list(axes), self.n_trials, self.n_jobs)

    def watch(self, folder: Path, number: int, metric: str) -> OnEpoch | None:
        """Return a callback that reports `metric` each epoch, and raises Pruned if it is hopeless.

        None without a pruner, and if the search already has the result of the trial, such as when
        the trial is only tested.
        """
        if self.pruner is None:
            return None
        import optuna

        with quiet():
            study = open_study(folder, self.pruner())
            known = study.trials[number]
            if known.state.is_finished():
                return None
            return _Watch(optuna.Trial(study, known._trial_id), metric)


@dataclass
class _Asking:
    """See Asking."""

    study: Study
    axes: list[Axis]
    n_trials: int
    n_jobs: int
    _earlier: list[FrozenTrial] | None = field(default=None)

    def ask(self) -> list[Setting]:
        """See Asking; the first call returns the trials of earlier starts."""
        if self._earlier is None:
            self._earlier = self.study.get_trials(deepcopy=False)
            if self._earlier:
                return [self._setting(trial.number, trial.params) for trial in self._earlier]
        left = self.n_trials - len(self.study.get_trials(deepcopy=False))
        with quiet():
            space = space_of(self.axes)
            trials = [self.study.ask(space) for _ in range(min(left, self.n_jobs))]
        return [self._setting(trial.number, trial.params) for trial in trials]

    def tell(self, setting: Setting, value: float | None, *, pruned: bool) -> None:
        """See Asking."""
        from optuna.trial import TrialState

        assert setting.study is not None
        number = setting.study["number"]
        if self.study.trials[number].state.is_finished():
            return
        with quiet():
            if pruned:
                self.study.tell(number, state=TrialState.PRUNED)
            elif value is None or math.isnan(value):
                self.study.tell(number, state=TrialState.FAIL)
            else:
                self.study.tell(number, value)

    def _setting(self, number: int, params: Mapping[str, Any]) -> Setting:
        values, overrides = {}, []
        for axis in self.axes:
            value = params[axis.key]
            if axis.choices is not None and not is_range(axis):
                assert axis.values is not None
                place = labels(axis).index(value)
                value = axis.choices[place]
                values[axis.key] = axis.values[place]
            else:
                values[axis.key] = value if axis.integer else _rounded(axis, value)
            overrides.append(axis.override(value if axis.choices is not None else values[axis.key]))
        return Setting(values, tuple(overrides), {"number": number})


@dataclass(frozen=True)
class _Watch:
    """See OptunaSearch.watch."""

    trial: Trial
    metric: str

    def __call__(self, epoch: int, metrics: Mapping[str, float]) -> None:
        if self.metric not in metrics:  # an epoch that was not validated
            return
        with quiet():
            self.trial.report(metrics[self.metric], epoch - 1)  # Optuna's steps are from 0
            if self.trial.should_prune():
                raise Pruned(f"stopped after epoch {epoch}: {self.metric} is below that of others")


def _rounded(axis: Axis, value: float) -> float:
    """Round to four digits: more do not matter, and make names long."""
    if axis.choices is not None:
        return value
    assert axis.low is not None
    assert axis.high is not None
    return min(max(float(f"{value:.4g}"), axis.low), axis.high)
