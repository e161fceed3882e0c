"""The claims of a comparison: which models are not shown to differ, and which are no worse."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from twotower.comparison.statistics import Floats, holm, one_sided_permutation

__all__ = ["difference_groups", "headline", "no_worse_p_values", "percent"]


def difference_groups(p_holm: Floats, alpha: float) -> list[int]:
    """Return the group of each model, from 1.

    The best model without a group starts the next one, joined by the models without a group whose
    difference from it is not significant (p > `alpha`). So the models of a group are not shown to
    differ from its first. This does not mean that they are equal: see `no_worse_p_values`.

    Args:
        p_holm: `[n_models, n_models]`, corrected for all pairs; models in order of their means,
            the best first.
    """
    groups = [0] * len(p_holm)
    while 0 in groups:
        leader, group = groups.index(0), max(groups) + 1
        for model in range(leader, len(groups)):
            if groups[model] == 0 and (model == leader or p_holm[leader, model] > alpha):
                groups[model] = group
    return groups


def no_worse_p_values(
    values: Floats, margin: float, resamples: int, generator: np.random.Generator
) -> Floats:
    """Return p-values `[n_models - 1]` of non-inferiority to the first model.

    The null hypothesis is that the mean of a model is at most (1 - margin) times that of the best.
    It is tested by a one-sided paired permutation test of model - (1 - margin) * best (Wellek 2010,
    "Testing Statistical Hypotheses of Equivalence and Noninferiority"), and corrected by Holm's
    method over all models.

    Args:
        values: `[n_users, n_models]`, the best model first.
    """
    above = values[:, 1:] - (1 - margin) * values[:, [0]]
    return holm(one_sided_permutation(above, resamples, generator))


def headline(
    names: Sequence[str],
    no_worse: Sequence[bool],
    parameters: Sequence[float | None],
    margin: float,
) -> str | None:
    """Return a sentence on the smallest model that is no worse than the best (the first).

    Args:
        no_worse: whether each model is shown to be no worse.

    Returns:
        The sentence; of equally small models, on the better one. None if no smaller model is shown
        to be no worse, or if the size of the best is not known.
    """
    best = parameters[0]
    shown = [
        (size, place)
        for place, (is_no_worse, size) in enumerate(zip(no_worse, parameters, strict=True))
        if is_no_worse and place > 0 and size is not None
    ]
    if best is None or not shown:
        return None
    size, place = min(shown)
    if size >= best:
        return None
    return (
        f"{names[place]} is no worse than the best, {names[0]}, within {percent(margin)}, "
        f"at {_part(size, best)} of its parameters"
    )


def percent(margin: float) -> str:
    """Return `2%` for 0.02."""
    return f"{100 * margin:.3g}%"


def _part(size: float, whole: float) -> str:
    """Return `1/8` if that is right to within 2%, else `63%`; `1/n` for any n if it is below 2%."""
    if size == 0:
        return "none"
    ratio = whole / size
    nearest = round(ratio)
    if ratio > 50 or (nearest >= 2 and abs(ratio / nearest - 1) <= 0.02):
        return f"1/{nearest:,}"
    return f"{size / whole:.0%}"
