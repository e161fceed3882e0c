"""The Optuna study in the folder of a sweep: open it, resume it, move it to other ranges."""

from __future__ import annotations

import itertools
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twotower.config import Axis
from twotower.core.files import write_atomically
from twotower.core.secrets import MASK, mask

if TYPE_CHECKING:  # slow to import
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.trial import FrozenTrial

__all__ = ["is_range", "labels", "open_study", "quiet", "resume_study", "space_of"]

_STUDY = "sweep"
_JOURNAL = "optuna.journal"
_RANGE = 3  # evenly spaced integers, from this many on, are a range

Space = dict[str, "BaseDistribution"]


def resume_study(folder: Path, space: Space) -> Study:
    """Return the study in `folder`, or a new one.

    Optuna does not change the search space of a study. If `space` is different, the trials that fit
    into it are moved to a new study, and the others dropped. Failed trials are reopened.
    """
    study = open_study(folder)
    trials = study.get_trials(deepcopy=False)
    if any(trial.distributions != space or trial.state.name == "FAIL" for trial in trials):
        moved = (_moved(trial, space) for trial in trials)
        kept = [trial for trial in moved if trial is not None]
        write_atomically(
            folder / _JOURNAL, lambda journal: open_study(journal.parent).add_trials(kept)
        )
        study = open_study(folder)
    return study


def open_study(folder: Path, pruner: BasePruner | None = None) -> Study:
    """Return the study in `folder`, whose journal processes share, or a new one."""
    import optuna
    from optuna.storages.journal import JournalFileBackend

    folder.mkdir(parents=True, exist_ok=True)
    with quiet():
        return optuna.create_study(
            storage=optuna.storages.JournalStorage(JournalFileBackend(str(folder / _JOURNAL))),
            study_name=_STUDY,
            pruner=pruner,
            direction="maximize",
            load_if_exists=True,
        )


def space_of(axes: Sequence[Axis]) -> Space:
    """Return the Optuna distribution of each axis."""
    return {axis.key: _distribution(axis) for axis in axes}


def labels(axis: Axis) -> tuple[str, ...]:
    """Return the choices as the journal stores them, with secrets masked."""
    shown = [mask(axis.override(choice)) for choice in axis.choices or ()]
    return tuple(
        choice if text == axis.override(choice) else f"{MASK} ({place})"
        for place, (choice, text) in enumerate(zip(axis.choices or (), shown, strict=True), start=1)
    )


def is_range(axis: Axis) -> bool:
    """Return whether the choices are evenly spaced integers, which are searched as numbers."""
    return _spacing(axis) is not None


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Optuna's messages about every trial, and warnings that nobody can act on."""
    import optuna

    optuna.logging.get_verbosity()  # the first call sets up the logger
    logger = logging.getLogger("optuna")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            # A trial resumed from a checkpoint, or repeated with another seed.
            warnings.filterwarnings("ignore", "The reported value is ignored because this `step`")
            yield
    finally:
        logger.setLevel(level)


def _moved(trial: FrozenTrial, space: Space) -> FrozenTrial | None:
    """Return `trial` in another space; None if it does not fit."""
    from optuna.trial import TrialState, create_trial

    try:
        return create_trial(
            state=TrialState.RUNNING if trial.state == TrialState.FAIL else trial.state,
            value=trial.value,
            params={key: _cast(trial.params[key], to) for key, to in space.items()},
            distributions=space,
            intermediate_values=trial.intermediate_values,
        )
    except (KeyError, ValueError):
        return None


def _cast(value: Any, to: BaseDistribution) -> Any:
    """Return `value` as one of `to`; raise ValueError if that is impossible."""
    from optuna.distributions import FloatDistribution, IntDistribution

    text = str(value)
    if isinstance(to, IntDistribution):
        return int(text)
    return float(text) if isinstance(to, FloatDistribution) else text


def _distribution(axis: Axis) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if axis.choices is not None:
        step = _spacing(axis)
        if step is None:
            return CategoricalDistribution(labels(axis))
        assert axis.values is not None
        return IntDistribution(min(axis.values), max(axis.values), step=step)
    assert axis.low is not None
    assert axis.high is not None
    if axis.integer:
        return IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return FloatDistribution(axis.low, axis.high, log=axis.log)


def _spacing(axis: Axis) -> int | None:
    """Return the step of evenly spaced integers; None for other choices."""
    values = axis.values or ()
    if len(values) < _RANGE or not all(type(value) is int for value in values):
        return None
    steps = {after - before for before, after in itertools.pairwise(values)}
    step = steps.pop()
    return None if steps or step <= 0 else int(step)
