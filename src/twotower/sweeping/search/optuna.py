"""Optuna: a search that learns from what it has seen, and stops hopeless trials early."""

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

    The study is kept in the sweep's folder, in Optuna's journal, which processes share. A search
    that goes on asks its earlier trials first, finished or not.
    """

    n_trials: PositiveInt
    n_jobs: PositiveInt
    seed: NonNegativeInt
    sampler: Annotated[Callable[..., Any], Contract("optuna.samplers.BaseSampler")]
    pruner: Annotated[Callable[..., Any], Contract("optuna.pruners.BasePruner")] | None

    def total(self, axes: Sequence[Axis]) -> int:
        """See Search."""
        if not axes:
            raise ConfigError("hydra/sweeper=optuna: nothing varies; valid is a=1,2,3 or a range")
        return self.n_trials

    def start(self, axes: Sequence[Axis], folder: Path) -> _Asking:
        """See Search."""
        study = resume_study(folder, space_of(axes))
        with quiet():
            # Another seed where it goes on: the same would draw the same settings again.
            study.sampler = self.sampler(seed=self.seed + len(study.trials))
        return _Asking(study, list(axes), self.n_trials, self.n_jobs)

    def watch(self, folder: Path, number: int, metric: str) -> OnEpoch | None:
        """Reports `metric` of each epoch of a trial and raises Pruned where it is hopeless.

        None where nothing is to be stopped: without a pruner, and where the search knows already
        what came out, as where a trial is only tested.
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
        """See Asking; the first time, the trials of earlier."""
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
    """Four digits are all that matters, and all that a name has room for."""
    if axis.choices is not None:
        return value
    assert axis.low is not None
    assert axis.high is not None
    return min(max(float(f"{value:.4g}"), axis.low), axis.high)
