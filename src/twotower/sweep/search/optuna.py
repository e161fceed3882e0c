"""Optuna: a search that learns from what it has seen, and stops hopeless trials early."""

from __future__ import annotations

import itertools
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import NonNegativeInt, PositiveInt

from twotower.config import Axis
from twotower.errors import ConfigError
from twotower.sweep.search.base import Setting
from twotower.training import OnEpoch
from twotower.trial import Pruned

if TYPE_CHECKING:  # slow to import
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

__all__ = ["Optuna"]

_STUDY = "sweep"
_JOURNAL = "optuna.journal"
_RANGE = 3  # so many whole numbers at equal distances count as a range


@dataclass(frozen=True)
class Optuna:
    """A search by one of Optuna's samplers, with pruning by one of its pruners.

    The study is kept in the sweep's folder, in Optuna's journal, which processes share. A search
    that goes on asks its earlier trials first, finished or not.
    """

    n_trials: PositiveInt
    n_jobs: PositiveInt
    seed: NonNegativeInt
    sampler: Callable[..., BaseSampler]
    pruner: Callable[[], BasePruner] | None

    def total(self, axes: Sequence[Axis]) -> int:
        """See Search."""
        if not axes:
            raise ConfigError("hydra/sweeper=optuna: nothing varies; valid is a=1,2,3 or a range")
        return self.n_trials

    def start(self, axes: Sequence[Axis], folder: Path) -> _Asking:
        """See Search."""
        import optuna

        with _quiet():
            study = optuna.create_study(
                storage=_storage(folder),
                study_name=_STUDY,
                direction="maximize",
                load_if_exists=True,
            )
            # Another seed where it goes on: the same would draw the same settings again.
            study.sampler = self.sampler(seed=self.seed + len(study.trials))
        return _Asking(study, list(axes), self.n_trials, self.n_jobs)

    def watch(self, folder: Path, number: int, metric: str) -> OnEpoch | None:
        """Reports `metric` of each epoch of a trial and raises Pruned where it is hopeless."""
        if self.pruner is None:
            return None
        import optuna

        with _quiet():
            study = optuna.load_study(
                study_name=_STUDY, storage=_storage(folder), pruner=self.pruner()
            )
            trial = optuna.Trial(study, study.trials[number]._trial_id)
        return _Watch(trial, metric)


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
        with _quiet():
            trials = [self.study.ask(self._space()) for _ in range(min(left, self.n_jobs))]
        return [self._setting(trial.number, trial.params) for trial in trials]

    def tell(self, setting: Setting, value: float | None, *, pruned: bool) -> None:
        """See Asking."""
        from optuna.trial import TrialState

        assert setting.study is not None
        number = setting.study["number"]
        if self.study.trials[number].state.is_finished():
            return
        with _quiet():
            if pruned:
                self.study.tell(number, state=TrialState.PRUNED)
            elif value is None:
                self.study.tell(number, state=TrialState.FAIL)
            else:
                self.study.tell(number, value)

    def _space(self) -> dict[str, BaseDistribution]:
        return {axis.key: _distribution(axis) for axis in self.axes}

    def _setting(self, number: int, params: Mapping[str, Any]) -> Setting:
        values, overrides = {}, []
        for axis in self.axes:
            value = params[axis.key]
            if axis.choices is not None and _spacing(axis) is None:
                assert axis.values is not None
                place = axis.choices.index(value)
                values[axis.key] = axis.values[place]
            else:
                values[axis.key] = value if axis.integer else _rounded(axis, value)
            overrides.append(axis.override(value if axis.choices is not None else values[axis.key]))
        return Setting(values, tuple(overrides), {"number": number})


@dataclass(frozen=True)
class _Watch:
    """See Optuna.watch."""

    trial: Trial
    metric: str

    def __call__(self, epoch: int, metrics: Mapping[str, float]) -> None:
        with _quiet():
            self.trial.report(metrics[self.metric], epoch)
            if self.trial.should_prune():
                raise Pruned(f"stopped after epoch {epoch}: {self.metric} is below that of others")


def _distribution(axis: Axis) -> BaseDistribution:
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if axis.choices is not None:
        step = _spacing(axis)
        if step is None:
            return CategoricalDistribution(axis.choices)
        assert axis.values is not None
        return IntDistribution(min(axis.values), max(axis.values), step=step)
    assert axis.low is not None
    assert axis.high is not None
    if axis.integer:
        return IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return FloatDistribution(axis.low, axis.high, log=axis.log)


def _spacing(axis: Axis) -> int | None:
    """The distance of whole numbers at equal distances; None for other choices."""
    values = axis.values or ()
    if len(values) < _RANGE or not all(type(value) is int for value in values):
        return None
    steps = {after - before for before, after in itertools.pairwise(values)}
    step = steps.pop()
    return None if steps or step <= 0 else int(step)


def _rounded(axis: Axis, value: float) -> float:
    """Four digits are all that matters, and all that a name has room for."""
    if axis.choices is not None:
        return value
    assert axis.low is not None
    assert axis.high is not None
    return min(max(float(f"{value:.4g}"), axis.low), axis.high)


def _storage(folder: Path) -> Any:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    folder.mkdir(parents=True, exist_ok=True)
    return JournalStorage(JournalFileBackend(str(folder / _JOURNAL)))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's news of every trial, and what it says of experimental arguments."""
    import optuna

    logger = logging.getLogger("optuna")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        logger.setLevel(level)
