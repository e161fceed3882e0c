from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.comparison.statistics import Floats
from twotower.comparison.ties import headline, tie_groups


def matrix(n: int, ties: set[tuple[int, int]]) -> Floats:
    """p of 0.2 for the pairs named and on the diagonal, 0.01 elsewhere."""
    p_values = np.full((n, n), 0.01)
    for i, j in [*ties, *((i, i) for i in range(n))]:
        p_values[i, j] = p_values[j, i] = 0.2
    return p_values


def test_a_group_holds_all_that_tie_with_its_first() -> None:
    # 0 ties with 1 and 3; 2 is next and ties with 3, which is taken, and with 4.
    assert tie_groups(matrix(5, {(0, 1), (0, 3), (2, 3), (2, 4), (1, 2)}), 0.05) == [1, 1, 2, 1, 2]


def test_without_ties_each_is_alone_and_with_all_of_them_none() -> None:
    assert tie_groups(matrix(3, set()), 0.05) == [1, 2, 3]
    assert tie_groups(matrix(3, {(0, 1), (0, 2)}), 0.05) == [1, 1, 1]
    assert tie_groups(matrix(1, set()), 0.05) == [1]


def test_a_p_value_of_alpha_is_significant() -> None:
    p_values = np.array([[1, 0.05], [0.05, 1]])
    assert tie_groups(p_values, 0.05) == [1, 2]
    assert tie_groups(p_values, 0.049) == [1, 1]


@given(st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5))))
def test_groups_are_counted_from_their_leaders(ties: set[tuple[int, int]]) -> None:
    p_values = matrix(6, ties)
    groups = tie_groups(p_values, 0.05)
    leaders = [groups.index(group) for group in range(1, max(groups) + 1)]
    assert leaders == sorted(leaders)
    for model, group in enumerate(groups):
        assert p_values[leaders[group - 1], model] > 0.05  # ties with its leader
        assert all(p_values[leader, model] <= 0.05 for leader in leaders[: group - 1])


NAMES = ["emb_dim=256 num_negatives=500", "emb_dim=64 num_negatives=50", "emb_dim=32", "tiny"]


def test_the_smallest_that_ties_with_the_best_is_told() -> None:
    assert headline(NAMES, [1, 1, 1, 2], [800, 100, 200, 10]) == (
        "emb_dim=64 num_negatives=50 ties the best, emb_dim=256 num_negatives=500, at 1/8 of its "
        "parameters"
    )


def test_of_equally_small_models_the_better_is_told() -> None:
    told = headline(NAMES, [1, 1, 1, 1], [800, 400, 200, 200])
    assert told is not None
    assert told.startswith("emb_dim=32 ties")


@pytest.mark.parametrize(
    ("groups", "parameters"),
    [
        ([1, 1, 2, 3], [100, 200, 10, 10]),  # the best is the smallest that ties
        ([1, 1, 2, 3], [100, 100, 10, 10]),  # as small as the other
        ([1, 2, 2, 2], [800, 10, 10, 10]),  # nothing ties
        ([1, 1, 1, 1], [None, 10, 10, 10]),
        ([1, 1, 1, 1], [100, None, None, None]),
    ],
)
def test_else_nothing_is_told(groups: list[int], parameters: list[float | None]) -> None:
    assert headline(NAMES, groups, parameters) is None


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
    told = headline(["a", "b"], [1, 1], [best, size])
    assert told == f"b ties the best, a, at {part} of its parameters"
