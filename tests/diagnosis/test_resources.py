"""The log that a step is timed on."""

import torch

from twotower.diagnosis.resources import _first
from twotower.types import TrainInteractions


def test_the_first_interactions_have_an_order_of_their_own() -> None:
    # Entries 0, 1, 2 of one moment came third, first and second.
    train = TrainInteractions(
        torch.tensor([0, 0, 1]),
        torch.tensor([5, 6, 7]),
        n_users=2,
        n_items=8,
        timestamps=torch.tensor([9, 9, 9]),
        turns=torch.tensor([2, 0, 1], dtype=torch.int32),
    )
    first = _first(train, 2)
    assert first.time_order.tolist() == [1, 0]
    assert first.histories.items.tolist() == [6, 5]
    assert first.weights is None
