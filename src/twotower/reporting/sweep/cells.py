"""The texts of a setting in a table."""

from __future__ import annotations

from collections import Counter
from typing import get_args

from twotower.config.naming import setting_name
from twotower.core.numbers import human, score
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
    """Return the number after ±.

    The standard deviation over repeats if the setting was repeated, else half the interval over
    users; None if there is neither.
    """
    if len(setting.results) > 1:
        return setting.spread(metric)
    intervals = setting.results[0].intervals
    if not setting.finished or metric not in intervals:
        return None
    low, high = intervals[metric]
    return (high - low) / 2


def name(table: SweepTable, setting: SettingResult) -> str:
    """Return a name such as `emb_dim=32 num_negatives=10`, with fractions cut to three digits."""
    parts = [f"{table.labels[key]}={brief(value)}" for key, value in setting.varied.items()]
    return " ".join(parts) or setting.name


def value(setting: SettingResult, metric: str, *, bare: bool = False) -> str:
    """Return `0.1641 ± 0.0494`; the mean alone if `bare`; empty if no trial finished."""
    return score(setting.mean(metric), None if bare else half_width(setting, metric))


def around(table: SweepTable) -> str:
    """Return what ± means in this table; empty if it is not used."""
    known = [s for s in table.settings if any(half_width(s, m) is not None for m in table.metrics)]
    repeated = f"standard deviation over {repeat_words(table.results)}"
    words = {repeated if len(s.results) > 1 else "half the interval over users" for s in known}
    if len(words) == 2:
        return f"± {repeated}; half the interval over users without repeats"
    return f"± {words.pop()}" if words else ""


def parameters(setting: SettingResult) -> str:
    """Return the number of parameters, such as `45.1k`."""
    mean = setting.mean(PARAMETERS)
    return "" if mean is None else human(mean)


def seconds(setting: SettingResult) -> str:
    """Return the wall time of training one trial, in seconds: `17.9` or `1,204`."""
    mean = setting.mean(SECONDS)
    if mean is None:
        return ""
    return f"{mean:,.0f}" if mean >= 100 else f"{mean:.1f}"


def best_epoch(setting: SettingResult) -> str:
    """Return the best epoch: `12`, or `12-18` if repeats differ."""
    epochs = sorted(int(o.metrics[EPOCH]) for o in setting.finished if EPOCH in o.metrics)
    if not epochs:
        return ""
    return f"{epochs[0]}" if epochs[0] == epochs[-1] else f"{epochs[0]}-{epochs[-1]}"


def state(setting: SettingResult) -> str:
    """Return `diverged`, or `1 of 5 diverged`; empty if all trials finished."""
    total = len(setting.results)
    other = Counter(o.state for o in setting.results if o.state != "finished")
    if total == 1:
        return next(iter(other), "")
    return ", ".join(f"{count} of {total} {each}" for each, count in other.items())


def counts(table: SweepTable) -> str:
    """Return the number of trials by state: `12 trials: 10 finished, 1 diverged, 1 failed`."""
    found = Counter(result.state for result in table.results)
    parts = ", ".join(f"{found[each]} {each}" for each in get_args(State) if found[each])
    total = len(table.results)
    return f"{total} {'trial' if total == 1 else 'trials'}" + (f": {parts}" if parts else "")


def unfinished(table: SweepTable) -> list[tuple[str, TrialResult]]:
    """Return the trials that diverged or failed, by name, with the seed and fold of repeats."""
    return [
        (f"{name(table, setting)} {_repeat_name(setting, o)}".rstrip(), o)
        for setting in table.settings
        for o in setting.results
        if o.state in ("diverged", "failed")
    ]


def _repeat_name(setting: SettingResult, result: TrialResult) -> str:
    return setting_name(result.repeat) if len(setting.results) > 1 else ""
