"""How much each varied key matters for the monitor.

Functional ANOVA over a random forest (Hutter, Hoos and Leyton-Brown, "An Efficient Approach for
Assessing Hyperparameter Importance", ICML 2014), as implemented in Optuna.
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

_FOREST = 4  # trials that a forest needs
_FEWEST = 8  # trials that make its shares meaningful, or
_FEWEST_PER_KEY = 4  # trials for each key, whichever is more


def importance(table: SweepTable, *, seed: int) -> dict[str, float] | None:
    """Return the share of the variance of the monitor that each key explains alone.

    The shares sum to at most 1. The rest is due to combinations of keys and, with few trials, to
    noise of the forest. Numbers drawn from a range are numeric to the forest, all other values are
    categories.

    Args:
        seed: of the forest.

    Returns:
        Shares by full key, the largest first. None if fewer than four trials finished, fewer than
        two keys have several values, or all trials are equally good.
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
    """Return why the trials do not support an importance of keys; None if they do.

    Args:
        compared: the settings tested against each other; None if that was not possible.
    """
    if len(table.keys) < 2:
        return None  # a single key has all the importance
    finished = sum(result.state == "finished" for result in table.results)
    needed = max(_FEWEST, _FEWEST_PER_KEY * len(table.keys))
    if finished < needed:
        return (
            f"Parameter importance is not shown: {finished} trials finished, and "
            f"{len(table.keys)} keys need at least {needed}."
        )
    if compared is None or not compared.pairs["significant"].any():
        return (
            "Parameter importance is not shown: no two settings were shown to differ, so it "
            "would rank noise."
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
    """Return the value on the scale that it was drawn on, over which fANOVA averages."""
    if not axis.continuous:
        return text_of(value)
    return math.log(value) if axis.log else float(value)
