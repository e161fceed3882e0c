"""Permutation tests, bootstrap intervals and Holm's correction for values paired by user.

Everything is a matrix product over blocks of resamples, which bounds memory for any number of
users, models and resamples.

scipy.stats.permutation_test and bootstrap are not used: they test one pair per call, while here one
product of signs and values serves all pairs, and they cannot draw users and seeds independently.
scipy has no Holm correction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Bootstrap",
    "Floats",
    "bootstrap",
    "holm",
    "one_sided_permutation",
    "paired_permutation",
    "sums_by_user",
]

Floats = NDArray[np.float64]

_BLOCK = 2_000_000  # numbers of 8 bytes in a block of resamples; two or three are held at a time
# Sums that differ by less, as a part of the largest sum of sizes, are equal but for rounding.
_ROUNDING = 1e-10


def paired_permutation(values: Floats, resamples: int, generator: np.random.Generator) -> Floats:
    """Return two-sided p-values `[n_models, n_models]` for equal means of each pair of models.

    If two models do not differ, the sign of each user's difference is random (Fisher 1935, "The
    design of experiments"). p = (1 + resamples whose signs give a sum at least as far from 0 as the
    observed sum) / (1 + resamples) (Phipson and Smyth 2010, "Permutation p-values should never be
    zero"). Since s(x_i - x_j) = s x_i - s x_j, one product of signs and values serves all pairs.
    The diagonal is 1.

    Args:
        values: `[n_users, n_models]`, finite; row u is the same user for all models.
    """
    n_users, n_models = values.shape
    centred = values - values.mean(axis=1, keepdims=True)  # no difference changes; sums get small
    total = centred.sum(axis=0)
    observed = np.array(
        [np.abs((values - values[:, [model]]).sum(axis=0)) for model in range(n_models)]
    )
    least = observed - _ROUNDING * np.abs(centred).sum(axis=0).max()
    exceeded = np.zeros((n_models, n_models), dtype=np.int64)
    for size in _blocks(resamples, n_users):
        sums = 2 * (_bits(size, n_users, generator) @ centred) - total  # [size, n_models]
        for model in range(n_models):
            far = np.abs(sums - sums[:, [model]]) >= least[model]
            exceeded[model] += far.sum(axis=0)
    p_values: Floats = (1 + exceeded) / (1 + resamples)
    return p_values


def one_sided_permutation(values: Floats, resamples: int, generator: np.random.Generator) -> Floats:
    """Return one-sided p-values `[n_columns]` of the hypothesis that a mean is 0 or less.

    As `paired_permutation`, with the resamples whose sum is at least the observed sum.

    Args:
        values: `[n_users, n_columns]`, finite.
    """
    total = values.sum(axis=0)
    least = total - _ROUNDING * np.abs(values).sum(axis=0)
    exceeded = np.zeros(values.shape[1], dtype=np.int64)
    for size in _blocks(resamples, len(values)):
        sums = 2 * (_bits(size, len(values), generator) @ values) - total
        exceeded += (sums >= least).sum(axis=0)
    p_values: Floats = (1 + exceeded) / (1 + resamples)
    return p_values


def sums_by_user(values: Floats, who: NDArray[np.int64]) -> Floats:
    """Return the sums `[n_users, n_columns]` of the rows `[n_rows, n_columns]` of each user.

    Args:
        who: `[n_rows]`, the user of each row, from 0 without gaps.
    """
    if len(np.unique(who)) == len(who):  # one row per user: the sums are the rows
        return values[np.argsort(who)]
    sums = np.zeros((int(who.max()) + 1, values.shape[1]))
    np.add.at(sums, who, values)
    return sums


@dataclass(frozen=True)
class Bootstrap:
    """The means `[resamples, n_models]` of each resample."""

    means: Floats

    def of_means(self, confidence: float) -> tuple[Floats, Floats]:
        """Return the low and high ends `[n_models]` of the percentile intervals of the means."""
        return _ends(self.means, confidence)

    def of_differences(self, confidence: float) -> tuple[Floats, Floats]:
        """Return low and high ends `[n_models, n_models]`, at `[i, j]` of mean i - mean j."""
        ends = [_ends(mean[:, None] - self.means, confidence) for mean in self.means.T]
        return np.array([low for low, _ in ends]), np.array([high for _, high in ends])


def bootstrap(
    values: Sequence[Floats],
    resamples: int,
    generator: np.random.Generator,
    who: NDArray[np.int64] | None = None,
) -> Bootstrap:
    """Return means over resampled users and seeds.

    A resample draws users with replacement, the same for all models so that differences stay
    paired, and for each model its seeds with replacement. Users and seeds are crossed, so they are
    drawn independently (Owen 2007, "The pigeonhole bootstrap", Annals of Applied Statistics). With
    few seeds, their part of an interval is too small by about (n_seeds - 1) / n_seeds in variance;
    with one seed it is missing.

    Args:
        values: for each model `[n_rows, n_seeds]`, finite; row r is the same user for all models.
        who: `[n_rows]`, the user of each row, from 0 without gaps; None if every row is another
            user. The rows of a user, one per fold, are drawn together: they are not independent.
    """
    n_seeds = [model.shape[1] for model in values]
    ends = np.cumsum(n_seeds)
    who = np.arange(len(values[0])) if who is None else who
    together = sums_by_user(np.concatenate(values, axis=1), who)
    n_users, n_rows = len(together), np.bincount(who).astype(np.float64)
    blocks = []
    for size in _blocks(resamples, n_users):
        counts = _counts(size, n_users, generator)
        of_seeds = counts @ together / (counts @ n_rows)[:, None]  # [size, all seeds]
        means = np.empty((size, len(values)))
        for model, (end, n) in enumerate(zip(ends, n_seeds, strict=True)):
            share = generator.multinomial(n, np.full(n, 1 / n), size=size) / n  # [size, n_seeds]
            means[:, model] = (of_seeds[:, end - n : end] * share).sum(axis=1)
        blocks.append(means)
    return Bootstrap(np.concatenate(blocks))


def holm(p_values: Floats) -> Floats:
    """Return p-values `[n]` adjusted to control the family-wise error rate.

    Holm 1979, "A simple sequentially rejective multiple test procedure": the i-th smallest of n,
    from 0, times n - i, at least the one before it and at most 1.
    """
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1)
    return adjusted


def _blocks(resamples: int, n_users: int) -> Iterator[int]:
    """Yield sizes that add up to `resamples`, of at most `_BLOCK` numbers or one resample each."""
    size = max(1, _BLOCK // n_users)
    for start in range(0, resamples, size):
        yield min(size, resamples - start)


def _bits(size: int, n_users: int, generator: np.random.Generator) -> Floats:
    """Draw `[size, n_users]` of 0 and 1 with equal probability; sign = 2 * bit - 1."""
    packed = generator.integers(0, 256, (size, -(-n_users // 8)), dtype=np.uint8)
    return np.unpackbits(packed, axis=1, count=n_users).astype(np.float64)


def _counts(size: int, n_users: int, generator: np.random.Generator) -> Floats:
    """Return `[size, n_users]`: how often each user is drawn in `n_users` draws."""
    drawn = generator.integers(0, n_users, (size, n_users))
    drawn += n_users * np.arange(size)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=size * n_users)
    return counts.reshape(size, n_users).astype(np.float64)


def _ends(draws: NDArray[Any], confidence: float) -> tuple[Floats, Floats]:
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return low, high
