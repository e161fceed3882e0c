from __future__ import annotations

import numpy as np
import pytest
from every_sign import EverySign  # type: ignore[import-not-found]
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from twotower.comparison.claims import difference_groups, headline, no_worse_p_values
from twotower.comparison.statistics import Floats


def matrix(n: int, ties: set[tuple[int, int]]) -> Floats:
    """p of 0.2 for the pairs named and on the diagonal, 0.01 elsewhere."""
    p_values = np.full((n, n), 0.01)
    for i, j in [*ties, *((i, i) for i in range(n))]:
        p_values[i, j] = p_values[j, i] = 0.2
    return p_values


def test_a_group_holds_all_that_tie_with_its_first() -> None:
    # 0 ties with 1 and 3; 2 is next and ties with 3, which is taken, and with 4.
    assert difference_groups(matrix(5, {(0, 1), (0, 3), (2, 3), (2, 4), (1, 2)}), 0.05) == [
        1,
        1,
        2,
        1,
        2,
    ]


def test_without_ties_each_is_alone_and_with_all_of_them_none() -> None:
    assert difference_groups(matrix(3, set()), 0.05) == [1, 2, 3]
    assert difference_groups(matrix(3, {(0, 1), (0, 2)}), 0.05) == [1, 1, 1]
    assert difference_groups(matrix(1, set()), 0.05) == [1]


def test_a_p_value_of_alpha_is_significant() -> None:
    p_values = np.array([[1, 0.05], [0.05, 1]])
    assert difference_groups(p_values, 0.05) == [1, 2]
    assert difference_groups(p_values, 0.049) == [1, 1]


@given(st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5))))
def test_groups_are_counted_from_their_leaders(ties: set[tuple[int, int]]) -> None:
    p_values = matrix(6, ties)
    groups = difference_groups(p_values, 0.05)
    leaders = [groups.index(group) for group in range(1, max(groups) + 1)]
    assert leaders == sorted(leaders)
    for model, group in enumerate(groups):
        assert p_values[leaders[group - 1], model] > 0.05  # ties with its leader
        assert all(p_values[leader, model] <= 0.05 for leader in leaders[: group - 1])


NAMES = ["emb_dim=256 num_negatives=500", "emb_dim=64 num_negatives=50", "emb_dim=32", "tiny"]


def test_the_smallest_that_is_no_worse_is_named_with_the_margin() -> None:
    assert headline(NAMES, [True, True, True, False], [800, 100, 200, 10], 0.02) == (
        "emb_dim=64 num_negatives=50 is no worse than the best, emb_dim=256 num_negatives=500, "
        "within 2%, at 1/8 of its parameters"
    )


def test_of_equally_small_models_the_better_is_named() -> None:
    sentence = headline(NAMES, [True] * 4, [800, 400, 200, 200], 0.125)
    assert sentence is not None
    assert sentence.startswith("emb_dim=32 is no worse")
    assert "within 12.5%, at 1/4" in sentence


@pytest.mark.parametrize(
    ("no_worse", "parameters"),
    [
        ([True, True, False, False], [100, 200, 10, 10]),  # the best is smaller
        ([True, True, False, False], [100, 100, 10, 10]),  # as small as the other
        ([True, False, False, False], [800, 10, 10, 10]),  # nothing is shown to be no worse
        ([True, True, True, True], [None, 10, 10, 10]),
        ([True, True, True, True], [100, None, None, None]),
    ],
)
def test_else_nothing_is_claimed(no_worse: list[bool], parameters: list[float | None]) -> None:
    assert headline(NAMES, no_worse, parameters, 0.02) is None


@pytest.mark.parametrize(
    ("size", "best", "part"),
    [
        (50, 100, "1/2"),
        (101, 802, "1/8"),  # 7.94 times: within 2% of 8
        (63, 100, "63%"),
        (40, 100, "40%"),  # 2.5 times
        (1, 123.4, "1/123"),
        (1, 2_500_000, "1/2,500,000"),
        (0, 100, "none"),  # popularity learns none
    ],
)
def test_the_part_of_the_parameters(size: float, best: float, part: str) -> None:
    sentence = headline(["a", "b"], [True, True], [best, size], 0.02)
    expected = f"b is no worse than the best, a, within 2%, at {part} of its parameters"
    assert sentence == expected


# --- non-inferiority


def test_no_worse_by_hand() -> None:
    # Five users, best = 1 for each. Margin 10%: the other is tested as other - 0.9.
    # `same`: 0.1 five times; 1 of 32 draws of signs is as far: p = (1 + 1) / (1 + 32).
    # `less`: 0.8 - 0.9 = -0.1 five times; every draw is as far or farther: p = 1.
    # `four`: four users of 1 and one of 0: 4 x 0.1 - 0.9 = -0.5. At least as large are 31 of 32.
    values = np.array([[1, 1, 0.8, 1]] * 4 + [[1, 1, 0.8, 0]])
    p_values = no_worse_p_values(values, 0.1, 32, EverySign(5))
    # Holm over three claims: 3 x 2/33, then the others, at most 1.
    assert p_values == pytest.approx([6 / 33, 1, 1])


def test_not_significant_is_not_no_worse() -> None:
    # 20 users whose values have nothing to do with each other: no difference is shown, and neither
    # is that one is no worse.
    generator = np.random.default_rng(0)
    values = generator.random((20, 2))
    values = values[:, np.argsort(-values.mean(axis=0))]
    assert stats.ttest_rel(values[:, 0], values[:, 1]).pvalue > 0.05
    assert no_worse_p_values(values, 0.02, 2000, generator)[0] > 0.05


@pytest.mark.parametrize("margin", [0.02, 0.1, 0.3])
def test_no_worse_is_as_scipy_has_it(margin: float) -> None:
    generator = np.random.default_rng(3)
    best = generator.random(12)
    other = np.clip(best + generator.normal(-0.02, 0.1, 12), 0, None)
    ours = no_worse_p_values(np.column_stack([best, other]), margin, 4096, EverySign(12))
    exact = stats.permutation_test(
        (other - (1 - margin) * best,),
        np.sum,
        permutation_type="samples",
        alternative="greater",
        n_resamples=np.inf,
    )
    assert ours[0] == pytest.approx((1 + 4096 * exact.pvalue) / 4097)
    # With many users it is the one-sided t-test of the same differences.
    best = generator.random(400)
    other = best + generator.normal(-0.01, 0.1, 400)
    ours = no_worse_p_values(np.column_stack([best, other]), margin, 5000, generator)
    t_test = stats.ttest_1samp(other - (1 - margin) * best, 0, alternative="greater")
    assert ours[0] == pytest.approx(t_test.pvalue, abs=0.03)


def test_no_worse_is_falsely_claimed_in_alpha_of_all_cases() -> None:
    # Models that are worse by exactly the margin: the claim is false, and made in 5% of samples.
    generator = np.random.default_rng(4)
    claimed = 0
    for _ in range(400):
        best = generator.random(60)
        other = 0.9 * best + generator.normal(0, 0.1, 60)
        values = np.column_stack([best, other])
        claimed += no_worse_p_values(values, 0.1, 200, generator)[0] <= 0.05
    assert 8 <= claimed <= 34  # 20 +- 3 standard deviations
