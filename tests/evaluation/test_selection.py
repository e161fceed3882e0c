"""Selection by groups against a full sort, with many equal scores."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from twotower.evaluation.selection import best, best_of_rows


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 400),
    width=st.integers(1, 6),
    levels=st.integers(1, 60),
)
def test_the_best_are_those_of_a_full_sort(seed: int, n: int, width: int, levels: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randint(levels, (3, n), generator=generator).float() - levels // 2
    scores[scores == -(levels // 2)] = -torch.inf
    scores[0] *= -0.0  # -0.0, 0.0 and NaN for -inf
    scores[0].nan_to_num_(nan=0.0)
    values, columns = best_of_rows(scores, width)
    for row, row_scores in enumerate(scores.tolist()):
        full = sorted(range(n), key=lambda c: (row_scores[c], c), reverse=True)[:width]
        assert columns[row].tolist() == full
        assert values[row].tolist() == [row_scores[column] for column in full]


def test_equal_scores_at_the_edge_go_by_number_not_by_place() -> None:
    scores = torch.tensor([[2.0, 1.0, 1.0, 1.0]])
    values, numbers = best(scores, torch.tensor([[3, 40, 7, 9]]), 3)
    assert numbers.tolist() == [[3, 40, 9]]
    assert values.tolist() == [[2.0, 1.0, 1.0]]


def test_nan_is_the_largest() -> None:
    scores = torch.zeros(1, 200)
    scores[0, 77] = torch.nan
    assert best_of_rows(scores, 1)[0].isnan().all()
