"""Squared loss by hand, and that sampling leaves its mean as it is."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from twotower.loss import Squared
from twotower.types import Scores


def test_value_by_hand() -> None:
    # (0.5 - 1)^2 = 0.25. Negatives at 2 and -1, expected 1/2 and 1/4 times: 4 * 2 + 1 * 4 = 12,
    # with alpha0 = 0.1 in all 0.25 + 1.2; without the second negative 0.25 + 0.8.
    counts = torch.log(torch.tensor([0.5, 0.25]))
    positive, negative = torch.tensor([0.5]), torch.tensor([[2.0, -1.0]])
    assert Squared(0.1)(Scores(positive, negative, None, counts)).item() == pytest.approx(1.45)
    masked = Scores(positive, negative, torch.tensor([[True, False]]), counts)
    assert Squared(0.1)(masked).item() == pytest.approx(1.05)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(0.1, 10), st.booleans()), min_size=2, max_size=8)
)
def test_the_mean_over_all_draws_is_the_loss_over_all_items(
    items: list[tuple[float, float, bool]],
) -> None:
    columns = [torch.tensor(column).double() for column in zip(*items, strict=True)]
    scores, probabilities, valid = columns[0], columns[1] / columns[1].sum(), columns[2].bool()
    positive = torch.tensor([0.3]).double()
    loss = Squared(0.2)
    # One place: item i comes with probability p_i, which is its expected count too.
    mean = sum(
        p * loss(Scores(positive, s.view(1, 1), v.view(1, 1), torch.log(p).view(1)))
        for s, p, v in zip(scores, probabilities, valid, strict=True)
    )
    full = loss(Scores(positive, scores[None], valid[None], torch.zeros(len(items))))
    assert float(mean) == pytest.approx(full.item())
