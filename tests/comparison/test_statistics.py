from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from every_sign import EverySign  # type: ignore[import-not-found]
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from twotower.comparison.statistics import Floats, bootstrap, holm, paired_permutation


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# --- permutation tests


def test_all_signs_of_three_users_by_hand() -> None:
    # Model 0 is better by 1, 1, 1. Of the sums of +-1 +-1 +-1, 2 of 8 are as far from 0 as 3:
    # p = (1 + 2) / (1 + 8). Model 2 is model 0 but for one user with 3 less: differences 0, 0, 3
    # to model 0 (every sum is +-3: p = 9/9) and 1, 1, -2 (sum 0: p = 1) to model 1.
    values = np.array([[1, 0, 1], [2, 1, 2], [3, 2, 0]], dtype=float)
    p_values = paired_permutation(values, 8, EverySign(3))
    assert p_values == pytest.approx(np.array([[1, 3 / 9, 1], [3 / 9, 1, 1], [1, 1, 1]]))


def test_differences_of_unlike_size_by_hand() -> None:
    # Differences 4, 2, 1: sums of +-4 +-2 +-1 are all odd numbers from -7 to 7. As far as 7: 2.
    # Differences 4, 2, -1 have the sum 5, and 4 of 8 are as far.
    values = np.array([[4, 0, 0], [2, 0, 0], [1, 0, 2]], dtype=float)
    p_values = paired_permutation(values, 8, EverySign(3))
    assert p_values[0] == pytest.approx([1, 3 / 9, 5 / 9])


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.3])
def test_p_values_are_those_of_scipy(shift: float) -> None:
    # All 2^10 signs: scipy's p is the exact share k/1024, here it is (1 + k) / 1025.
    generator = rng(1)
    values = generator.random((10, 3)) + np.array([0, shift, 2 * shift])
    p_values = paired_permutation(values[:5], 32, EverySign(5))
    for i, j in ((0, 1), (0, 2), (1, 2)):
        exact = stats.permutation_test(
            (values[:5, i], values[:5, j]),
            lambda x, y, axis: np.mean(x - y, axis=axis),
            permutation_type="samples",
            vectorized=True,
            n_resamples=np.inf,
        ).pvalue
        assert p_values[i, j] == pytest.approx((1 + 32 * exact) / 33)


def test_drawn_signs_come_near_the_exact_p_value_of_scipy() -> None:
    values = rng(2).random((12, 2)) + np.array([0.15, 0])
    exact = stats.permutation_test(
        (values[:, 0], values[:, 1]),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    ).pvalue
    assert 0.01 < exact < 0.5
    drawn = paired_permutation(values, 40_000, rng(3))[0, 1]
    assert drawn == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 40_000))


def test_sums_that_are_equal_but_for_rounding_count_as_equal() -> None:
    # Differences of 0.1 in 20 users: only all signs alike are as far, twice in a million. But of
    # 0.1 in one user and 0 in the others every sum is as far, whatever it adds up to in floats.
    others = rng(4).random((20, 1))
    values = np.concatenate([others, others], axis=1)
    values[7, 0] += 0.1
    assert paired_permutation(values, 1000, rng(5))[0, 1] == 1


@given(
    st.integers(1, 9).flatmap(
        lambda n: st.lists(
            st.lists(st.floats(-1, 1), min_size=3, max_size=3), min_size=n, max_size=n
        )
    )
)
def test_p_values_are_symmetric_and_in_bounds(rows: list[list[float]]) -> None:
    values = np.array(rows)
    p_values = paired_permutation(values, 200, rng(6))
    assert (p_values == p_values.T).all()
    assert (np.diag(p_values) == 1).all()
    assert ((p_values >= 1 / 201) & (p_values <= 1)).all()


def test_p_values_do_not_change_with_what_is_added_to_a_user() -> None:
    values = rng(7).random((30, 3))
    added = values + rng(8).integers(0, 9, (30, 1))
    assert (paired_permutation(values, 500, rng(9)) == paired_permutation(added, 500, rng(9))).all()


def test_equal_models_are_found_different_at_the_rate_of_the_level() -> None:
    # 300 studies without a difference: p <= 0.05 in 15 of them, give or take 4 x 3.8.
    generator = rng(10)
    p_values = [
        paired_permutation(generator.random((25, 2)), 199, generator)[0, 1] for _ in range(300)
    ]
    assert 0 < sum(p <= 0.05 for p in p_values) < 30
    assert np.mean(p_values) == pytest.approx(0.5, abs=4 * np.sqrt(1 / 12 / 300))


# --- bootstrap


def test_resampled_means_of_two_users_by_hand() -> None:
    # Users with 0 and 1: both draws user 0, one each (twice), both user 1: mean 0, 1/2, 1 in 1, 2
    # and 1 of 4. The second model has 1 - that from the same users, so they add up to 1.
    means = bootstrap([np.array([[0.0], [1.0]]), np.array([[1.0], [0.0]])], 8000, rng()).means
    found = [(means[:, 0] == mean).mean() for mean in (0, 0.5, 1)]
    assert found == pytest.approx([0.25, 0.5, 0.25], abs=0.02)
    assert (means.sum(axis=1) == 1).all()


def test_resampled_means_of_two_seeds_by_hand() -> None:
    # Users are alike; seed 0 gives 0 and seed 1 gives 1: again 0, 1/2, 1 in 1, 2 and 1 of 4. The
    # seeds of the second model are drawn by themselves: both means are 1 in 1 of 16.
    two_seeds = np.tile([0.0, 1.0], (3, 1))
    means = bootstrap([two_seeds, two_seeds], 8000, rng()).means
    found = [np.isclose(means[:, 1], mean).mean() for mean in (0, 0.5, 1)]
    assert found == pytest.approx([0.25, 0.5, 0.25], abs=0.02)
    assert np.isclose(means.sum(axis=1), 2).mean() == pytest.approx(1 / 16, abs=0.015)


def test_intervals_are_those_of_scipy() -> None:
    generator = rng(11)
    x = generator.beta(0.5, 2, 80)
    y = 0.7 * x + 0.2 * generator.random(80)
    ours = bootstrap([x[:, None], y[:, None]], 20_000, rng(12))
    for data, statistic, (low, high) in (
        ((x,), np.mean, [end[0] for end in ours.of_means(0.9)]),
        ((x, y), paired_mean, [end[0, 1] for end in ours.of_differences(0.9)]),
    ):
        theirs = stats.bootstrap(
            data,
            statistic,
            paired=True,
            vectorized=True,
            confidence_level=0.9,
            method="percentile",
            n_resamples=20_000,
            rng=rng(13),
        ).confidence_interval
        width = theirs.high - theirs.low
        assert [low, high] == pytest.approx([theirs.low, theirs.high], abs=0.03 * width)


def paired_mean(x: Floats, y: Floats, axis: int) -> Any:
    return np.mean(x - y, axis=axis)


def test_a_constant_difference_has_no_width_and_turns_with_the_pair() -> None:
    x = rng(14).random((40, 1))
    low, high = bootstrap([x, x - 0.25], 500, rng(15)).of_differences(0.95)
    assert low == pytest.approx(np.array([[0, 0.25], [-0.25, 0]]))
    assert high == pytest.approx(low)


def test_seeds_that_vary_widen_the_interval() -> None:
    users = rng(16).random((200, 1))
    steady, shaken = np.repeat(users, 3, axis=1), users + np.array([-0.3, 0, 0.3])
    low, high = bootstrap([steady, shaken], 2000, rng(17)).of_means(0.95)
    assert (high - low)[1] > 3 * (high - low)[0]


# --- Holm


def test_holm_by_hand() -> None:
    # Ascending 0.005 x 4, 0.01 x 3, 0.03 x 2, 0.04 x 1 = 0.04, raised to the 0.06 before it.
    adjusted = holm(np.array([0.01, 0.04, 0.03, 0.005]))
    assert adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.6, 0.7])) == pytest.approx([1, 1])
    assert len(holm(np.array([]))) == 0


P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12).map(np.array)


@given(P_VALUES, st.floats(0.001, 0.5))
def test_holm_rejects_what_the_steps_reject(p_values: Floats, alpha: float) -> None:
    # As Holm states it: go up from the smallest while p x (how many are left) <= alpha.
    rejected = np.zeros(len(p_values), dtype=bool)
    for step, place in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[place] * (len(p_values) - step) > alpha:
            break
        rejected[place] = True
    assert ((holm(p_values) <= alpha) == rejected).all()


@given(P_VALUES)
def test_holm_is_between_the_raw_p_and_bonferroni(p_values: Floats) -> None:
    adjusted = holm(p_values)
    assert (adjusted >= p_values).all()
    assert (adjusted <= np.minimum(p_values * len(p_values), 1) + 1e-15).all()
    assert (np.diff(adjusted[np.argsort(p_values, kind="stable")]) >= 0).all()


# --- size


def test_memory_stays_bounded() -> None:
    # 2,000 resamples of 20,000 users at once would be 320 MB of signs or counts, and as much
    # again of indices.
    values = rng(18).random((20_000, 3))
    tracemalloc.start()
    try:
        paired_permutation(values, 2000, rng(19))
        bootstrap([values], 500, rng(20))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 80e6


def test_one_seed_gives_one_outcome_and_another_seed_another() -> None:
    values = rng(21).random((50, 2)) + np.array([0.05, 0])
    once, again, other = (paired_permutation(values, 300, rng(seed)) for seed in (1, 1, 2))
    assert (once == again).all()
    assert (once != other).any()
    drawn, redrawn, apart = (bootstrap([values], 300, rng(seed)).means for seed in (1, 1, 2))
    assert (drawn == redrawn).all()
    assert (drawn != apart).any()
