"""How much each key that varies matters for the monitor.

Functional ANOVA over a random forest (Hutter, Hoos and Leyton-Brown, "An Efficient Approach for
Assessing Hyperparameter Importance", ICML 2014), as Optuna has it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twotower.comparison import Compared
from twotower.sweeping.search.study import quiet
from twotower.sweeping.sweep_table import SweepTable
from twotower.sweeping.trial_result import TrialResult
from twotower.sweeping.varied import Varied, text_of, varied_of

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

__all__ = ["importance", "unsupported"]

_FOREST = 4  # trials that a forest can be grown on
_FEWEST = 8  # trials that support what it says, or
_FEWEST_PER_KEY = 4  # of them for each key: a forest on fewer repeats what it was given


def importance(table: SweepTable, *, seed: int) -> dict[str, float] | None:
    """Share of the variance of the monitor that each key explains alone, the largest first.

    By full key; the shares sum to at most 1, the rest is what keys do in combination and, with few
    trials, the forest's own noise. Numbers that a search drew from a range are numbers to the
    forest, all else are choices. `seed` is the
    forest's. None where it cannot be told: fewer than four trials finished, fewer than two keys
    have more than one value among them, or all trials are equally good.
    """
    trials = [o for o in table.results if o.state == "finished" and table.monitor in o.metrics]
    finished = SweepTable(tuple(trials), table.monitor)
    axes = [varied_of(finished, key) for key in finished.keys]
    axes = [a for a in axes if len(a.values) > 1 and all(a.key in o.varied for o in trials)]
    alike = len({result.metrics[table.monitor] for result in trials}) < 2
    if len(trials) < _FOREST or len(axes) < 2 or alike:
        return None
    with quiet():
        shares = _fanova(trials, axes, table.monitor, seed)
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def unsupported(table: SweepTable, compared: Compared | None) -> str | None:
    """Why the trials say nothing about what matters, in a sentence; None where they do.

    compared: the settings tested against each other, None where that was not possible.
    """
    if len(table.keys) < 2:
        return None  # one key is all that there is
    finished = sum(result.state == "finished" for result in table.results)
    needed = max(_FEWEST, _FEWEST_PER_KEY * len(table.keys))
    if finished < needed:
        return (
            f"What matters is not shown: {finished} trials finished, and parameter importance "
            f"for {len(table.keys)} keys needs at least {needed}."
        )
    if compared is None or not compared.pairs["significant"].any():
        return (
            "What matters is not shown: no two settings were shown to differ, so that parameter "
            "importance would rank noise."
        )
    return None


def _fanova(
    trials: Sequence[TrialResult], axes: Sequence[Varied], monitor: str, seed: int
) -> dict[str, float]:
    # Here, as it takes long to import.
    from optuna import create_study
    from optuna.importance import FanovaImportanceEvaluator
    from optuna.trial import create_trial

    study = create_study(direction="maximize")
    distributions = {axis.key: _distribution(axis) for axis in axes}
    for result in trials:
        params = {axis.key: _param(axis, result.varied[axis.key]) for axis in axes}
        value = result.metrics[monitor]
        study.add_trial(create_trial(value=value, params=params, distributions=distributions))
    shares = FanovaImportanceEvaluator(seed=seed).evaluate(study)
    return {key: float(share) for key, share in shares.items()}


def _distribution(axis: Varied) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if not axis.continuous:
        return CategoricalDistribution(axis.texts)
    return FloatDistribution(_param(axis, axis.values[0]), _param(axis, axis.values[-1]))


def _param(axis: Varied, value: Any) -> Any:
    """The value, on the scale that it was drawn on, over which fANOVA takes its averages."""
    if not axis.continuous:
        return text_of(value)
    return math.log(value) if axis.log else float(value)
