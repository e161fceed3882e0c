"""The full softmax: every item, each once."""

import torch
from made_histories import CPU, make_train  # type: ignore[import-not-found]

from twotower.core import seeding
from twotower.negative_sampling import AllItems


def test_every_item_is_there_once_with_nothing_to_correct() -> None:
    train = make_train([{0, 2}, {1}], 4)
    users, positives = torch.tensor([0, 1]), torch.tensor([3, 1])
    drawn = AllItems(False, train=train, device=CPU).sample(users, positives, seeding.generator(0))
    assert drawn.items.tolist() == [0, 1, 2, 3]
    assert drawn.log_expected_count.tolist() == [0, 0, 0, 0]
    assert drawn.valid is not None
    assert drawn.valid.tolist() == [[True, True, True, False], [True, False, True, True]]
    drawn = AllItems(True, train=train, device=CPU).sample(users, positives, seeding.generator(0))
    assert drawn.valid is not None
    # User 0 has seen 0 and 2 and its positive is 3; user 1 has seen its positive alone.
    assert drawn.valid.tolist() == [[False, True, False, False], [True, False, True, True]]
