"""Groups of about equal size along a count."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["quantile_groups"]


def quantile_groups(
    values: NDArray[np.int64], n_groups: int
) -> tuple[list[str], NDArray[np.float64]]:
    """Labels such as `5-12` in rising order, and the highest value of each group but the last.

    Cut after the smallest value that at least 1/n, 2/n, ... of `values` do not exceed. Equal
    values share a group, so groups may be unequal, and fewer than `n_groups` where many are equal.
    """
    places = np.arange(1, n_groups) / n_groups
    edges: NDArray[np.float64] = np.unique(np.quantile(values, places, method="inverted_cdf"))
    edges = edges[edges < values.max()]
    which = np.searchsorted(edges, values)  # in group g: edges[g - 1] < value <= edges[g]
    members = [values[which == group] for group in range(len(edges) + 1)]
    return [_label(int(m.min()), int(m.max())) for m in members], edges


def _label(low: int, high: int) -> str:
    return f"{low}" if low == high else f"{low}-{high}"
