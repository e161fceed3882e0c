"""Groups of about equal size along a count."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["quantile_groups"]


def quantile_groups(
    values: NDArray[np.int64], n_groups: int
) -> tuple[list[str], NDArray[np.float64]]:
    """Return labels such as `5-12` in rising order, and the upper end of each group but the last.

    Groups are cut at the quantiles 1/n, 2/n, ... of `values`. Equal values share a group, so groups
    may differ in size, and there are fewer than `n_groups` if many values are equal.
    """
    places = np.arange(1, n_groups) / n_groups
    edges: NDArray[np.float64] = np.unique(np.quantile(values, places, method="inverted_cdf"))
    edges = edges[edges < values.max()]
    which = np.searchsorted(edges, values)  # in group g: edges[g - 1] < value <= edges[g]
    members = [values[which == group] for group in range(len(edges) + 1)]
    return [_label(int(m.min()), int(m.max())) for m in members], edges


def _label(low: int, high: int) -> str:
    return f"{low}" if low == high else f"{low}-{high}"
