"""What SASRec reads, and its one conflict."""

from __future__ import annotations

import pytest
import torch

from twotower.config import compose
from twotower.core.errors import ConfigError
from twotower.tower.encoder import SASRecEncoder


def encoder(n_blocks: int) -> SASRecEncoder:
    generator = torch.Generator().manual_seed(0)
    made = SASRecEncoder(8, n_blocks, 2, 0.0, emb_dim=4, history_length=5, generator=generator)
    return made.eval()


def test_places_count_from_the_newest() -> None:
    made = encoder(1)
    items = torch.randn(1, 3, 4, generator=torch.Generator().manual_seed(1))
    valid = torch.ones(1, 3, dtype=torch.bool)
    before = made(items, valid)
    with torch.no_grad():
        made.places[:2] = 100.0  # of the fourth and fifth newest, which are not there
    assert torch.equal(made(items, valid), before)
    with torch.no_grad():
        made.places[2, 0] += 1.0
    assert not torch.allclose(made(items, valid), before)


def test_no_older_place_hears_of_a_newer_item() -> None:
    made, first = encoder(2), list[torch.Tensor]()
    made.blocks[0].register_forward_hook(lambda _, __, places: first.append(places))
    items = torch.randn(1, 3, 4, generator=torch.Generator().manual_seed(2))
    valid = torch.ones(1, 3, dtype=torch.bool)
    made(items, valid)
    items[:, 2, 0] += 1.0
    made(items, valid)
    one, other = first
    torch.testing.assert_close(one[:, :2], other[:, :2])
    assert not torch.allclose(one[:, 2], other[:, 2])


def test_heads_that_do_not_divide_hidden_are_refused_before_any_data_is_read() -> None:
    sasrec = ["tower=history", "tower/encoder=sasrec", "tower.encoder.hidden=10"]
    with pytest.raises(ConfigError, match=r"tower\.encoder\.n_heads: got 4, which does not divide"):
        compose("train", [*sasrec, "tower.encoder.n_heads=4"])
    compose("train", [*sasrec, "tower.encoder.n_heads=5"])
    with pytest.raises(ConfigError, match=r"tower\.encoder\.n_heads: got 0; input should be"):
        compose("train", [*sasrec, "tower.encoder.n_heads=0"])
