"""Which models tie, and which of those that tie with the best is the smallest."""

from __future__ import annotations

from collections.abc import Sequence

from twotower.comparison.statistics import Floats

__all__ = ["headline", "tie_groups"]


def tie_groups(p_holm: Floats, alpha: float) -> list[int]:
    """The group of each model, from 1.

    p_holm: [n_models, n_models], corrected for all pairs; models best mean first.

    A group is led by the best that is in none yet, and holds all others in none yet whose
    difference from it is not significant (p above `alpha`). So all of a group tie with its first,
    not each with each; and to tie is not to be shown equal.
    """
    groups = [0] * len(p_holm)
    while 0 in groups:
        leader, group = groups.index(0), max(groups) + 1
        for model in range(leader, len(groups)):
            if groups[model] == 0 and (model == leader or p_holm[leader, model] > alpha):
                groups[model] = group
    return groups


def headline(
    names: Sequence[str], groups: Sequence[int], parameters: Sequence[float | None]
) -> str | None:
    """Which model with the fewest parameters ties with the best (the first); of equals the better.

    None where that is the best itself, or where the size of the best is not known.
    """
    best = parameters[0]
    tied = [
        (size, place)
        for place, (group, size) in enumerate(zip(groups, parameters, strict=True))
        if group == 1 and size is not None
    ]
    if best is None:
        return None
    size, place = min(tied)
    if size >= best:
        return None
    return f"{names[place]} ties the best, {names[0]}, at {_part(size, best)} of its parameters"


def _part(size: float, whole: float) -> str:
    """`1/8` where that is it to within 2%, else `63%`; `1/n` of any n where it is below 2%."""
    if size == 0:
        return "none"
    ratio = whole / size
    nearest = round(ratio)
    if ratio > 50 or (nearest >= 2 and abs(ratio / nearest - 1) <= 0.02):
        return f"1/{nearest:,}"
    return f"{size / whole:.0%}"
