"""Bags of values, by hand."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from twotower.tower.text import Bag


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def bag(
    pairs: list[tuple[int, int]], *, n: int = 4, n_train: int = 3, dim: int = 2, seed: int = 0
) -> Bag:
    rows, values = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T
    return Bag(rows, values, n=n, n_train=n_train, dim=dim, generator=generator(seed))


# Row 0 has the values 7 and 9, row 1 has 9 (listed twice), row 2 nothing; row 3, not in
# train, 9 and 8. Train knows 7 and 9.
PAIRS = [(0, 9), (0, 7), (1, 9), (1, 9), (3, 8), (3, 9)]


def test_a_row_is_the_mean_of_the_vectors_of_its_values() -> None:
    made = bag(PAIRS)
    made.load_state_dict({**made.state_dict(), "weight": torch.tensor([[1.0, 4.0], [3.0, 0.0]])})
    # 7 is (1, 4) and 9 is (3, 0): row 0 is ((1 + 3) / 2, (4 + 0) / 2). 8 is not known.
    expected = torch.tensor([[2.0, 2.0], [3.0, 0.0], [0.0, 0.0], [3.0, 0.0]])
    assert torch.equal(made(torch.arange(4)), expected)
    assert torch.equal(made(torch.tensor([3, 0, 0])), expected[[3, 0, 0]])


def test_no_rows_give_no_vectors() -> None:
    assert bag(PAIRS)(torch.zeros(0, dtype=torch.int64)).shape == (0, 2)


def test_the_gradient_reaches_a_vector_by_its_share_of_each_row() -> None:
    made = bag(PAIRS)
    made(torch.tensor([0, 1, 3])).sum().backward()
    # Row 0 is half 7 and half 9, rows 1 and 3 are 9 alone: 1/2 and 1/2 + 1 + 1.
    assert made.weight.grad is not None
    assert made.weight.grad.tolist() == [[0.5, 0.5], [2.5, 2.5]]


def test_values_that_only_cold_rows_have_change_nothing() -> None:
    without = bag([pair for pair in PAIRS if pair[0] != 3])
    made = bag(PAIRS)
    assert torch.equal(made.weight, without.weight)
    assert torch.equal(made(torch.arange(3)), without(torch.arange(3)))


def test_a_bag_in_which_train_has_nothing_is_zeros() -> None:
    made = bag([(3, 5)])
    assert made(torch.arange(4)).tolist() == [[0.0, 0.0]] * 4


def test_a_vector_starts_at_a_length_of_about_one() -> None:
    # The squared length of 64 numbers of variance 1/64 has mean 1 and variance 2/64; over 1000
    # vectors the standard error is sqrt(2/64/1000) = 0.006.
    made = bag([(0, value) for value in range(1000)], dim=64)
    assert abs(float(made.weight.detach().square().sum(1).mean()) - 1) < 0.03


@settings(deadline=None)  # the first call of a kernel may take a second
@given(
    pairs=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 8)), max_size=20),
    rows=st.lists(st.integers(0, 5), max_size=8),
)
def test_any_rows_are_the_means_of_their_known_values(
    pairs: list[tuple[int, int]], rows: list[int]
) -> None:
    made = bag(pairs, n=6, n_train=4)
    vocabulary = sorted({value for row, value in pairs if row < 4})
    got = made(torch.tensor(rows, dtype=torch.int64))
    for place, row in enumerate(rows):
        known = sorted({value for r, value in pairs if r == row} & set(vocabulary))
        codes = [vocabulary.index(value) for value in known]
        mean = made.weight[codes].mean(0) if codes else torch.zeros(2)
        torch.testing.assert_close(got[place], mean)
