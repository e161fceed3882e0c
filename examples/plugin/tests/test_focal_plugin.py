"""The components keep their contracts, and do what they are for."""

from pathlib import Path

import numpy as np
import pytest
import torch
from focal_plugin import __file__ as package
from focal_plugin.focal import Focal
from focal_plugin.tail_hits import TailHits

from twotower.loss import BinaryCrossEntropy
from twotower.testing import check_choice, choices_in
from twotower.testing.losses import scores, some_valid
from twotower.testing.metrics import judged_lists


@pytest.mark.parametrize(("group", "choice"), choices_in(Path(package).with_name("conf")))
def test_a_choice_keeps_the_contract_of_its_group(group: str, choice: str) -> None:
    check_choice(group, choice)


def test_without_focus_it_is_the_cross_entropy() -> None:
    given = scores(some_valid(), shared=False)
    assert torch.isclose(Focal(gamma=0.0)(given), BinaryCrossEntropy()(given))
    assert Focal(gamma=2.0)(given) < Focal(gamma=0.0)(given)


def test_hits_in_the_tail_are_counted() -> None:
    # Train counts of items 0 to 7: 1, 1, 1, 1, 1, 1, 0, 1; of user 0 item 3 is relevant, at rank 1.
    lists = judged_lists([[3, 5, 2, 4, 6], [1, 5, 6, -1, -1], [0, 1, 2, 3, 4], [-1] * 5])
    assert np.allclose(TailHits().per_user(lists, 2), [0.5, 0.5, 0, 0])
