"""A setting as people read it: the texts of its line in a table."""

from __future__ import annotations

from collections import Counter
from typing import get_args

from twotower.config.naming import setting_name
from twotower.reporting.numbers import human, score
from twotower.sweeping.setting_result import SettingResult, repeat_words
from twotower.sweeping.sweep_table import SweepTable
from twotower.sweeping.trial_result import State, TrialResult
from twotower.sweeping.varied import brief

__all__ = [
    "around",
    "best_epoch",
    "counts",
    "half_width",
    "name",
    "parameters",
    "seconds",
    "state",
    "unfinished",
    "value",
]

PARAMETERS, SECONDS, EPOCH = "model/parameters", "train/seconds", "model/best_epoch"


def half_width(setting: SettingResult, metric: str) -> float | None:
    """What stands behind ±: the standard deviation over repeats where the setting was repeated,
    else half of the interval over users; None where there is neither.
    """
    if len(setting.results) > 1:
        return setting.spread(metric)
    intervals = setting.results[0].intervals
    if not setting.finished or metric not in intervals:
        return None
    low, high = intervals[metric]
    return (high - low) / 2


def name(table: SweepTable, setting: SettingResult) -> str:
    """Such as `emb_dim=32 num_negatives=10`, with drawn numbers cut to three digits."""
    parts = [f"{table.labels[key]}={brief(value)}" for key, value in setting.varied.items()]
    return " ".join(parts) or setting.name


def value(setting: SettingResult, metric: str, *, bare: bool = False) -> str:
    """`0.1641 ± 0.0494`; without what follows the mean if `bare`; empty where none finished."""
    return score(setting.mean(metric), None if bare else half_width(setting, metric))


def around(table: SweepTable) -> str:
    """What ± means in this table; empty where nothing has one."""
    known = [s for s in table.settings if any(half_width(s, m) is not None for m in table.metrics)]
    repeated = f"standard deviation over {repeat_words(table.results)}"
    words = {repeated if len(s.results) > 1 else "half the interval over users" for s in known}
    if len(words) == 2:
        return f"± {repeated}; half the interval over users where there is one"
    return f"± {words.pop()}" if words else ""


def parameters(setting: SettingResult) -> str:
    """Three digits: `45.1k`."""
    mean = setting.mean(PARAMETERS)
    return "" if mean is None else human(mean)


def seconds(setting: SettingResult) -> str:
    """Wall time of the training of one trial: `17.9` or `1,204`."""
    mean = setting.mean(SECONDS)
    if mean is None:
        return ""
    return f"{mean:,.0f}" if mean >= 100 else f"{mean:.1f}"


def best_epoch(setting: SettingResult) -> str:
    """`12`, or `12-18` where repeats differ."""
    epochs = sorted(int(o.metrics[EPOCH]) for o in setting.finished if EPOCH in o.metrics)
    if not epochs:
        return ""
    return f"{epochs[0]}" if epochs[0] == epochs[-1] else f"{epochs[0]}-{epochs[-1]}"


def state(setting: SettingResult) -> str:
    """Empty where all finished; `diverged`, or `1 of 5 diverged`."""
    total = len(setting.results)
    other = Counter(o.state for o in setting.results if o.state != "finished")
    if total == 1:
        return next(iter(other), "")
    return ", ".join(f"{count} of {total} {each}" for each, count in other.items())


def counts(table: SweepTable) -> str:
    """`12 trials: 10 finished, 1 diverged, 1 failed`."""
    found = Counter(result.state for result in table.results)
    parts = ", ".join(f"{found[each]} {each}" for each in get_args(State) if found[each])
    total = len(table.results)
    return f"{total} {'trial' if total == 1 else 'trials'}" + (f": {parts}" if parts else "")


def unfinished(table: SweepTable) -> list[tuple[str, TrialResult]]:
    """The trials that diverged or failed, by name, with seed and fold of repeats."""
    return [
        (f"{name(table, setting)} {_repeat_name(setting, o)}".rstrip(), o)
        for setting in table.settings
        for o in setting.results
        if o.state in ("diverged", "failed")
    ]


def _repeat_name(setting: SettingResult, result: TrialResult) -> str:
    return setting_name(result.repeat) if len(setting.results) > 1 else ""
