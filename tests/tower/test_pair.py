"""Any user tower with any item tower."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
import torch
from torch import nn

from twotower.config import build, compose
from twotower.core.errors import ConfigError
from twotower.model import TwoTower
from twotower.tower import EmbeddingTower, HistoryEncoder
from twotower.tower.features import FeatureTower
from twotower.tower.prior import split_prior
from twotower.types import Past, Side

USERS = Side("user", 4, 3, pl.DataFrame({"age": [1, 2, 3, 4]}))
ITEMS = Side("item", 5, 4, pl.DataFrame({"genres": [["a"], ["b"], ["a"], [], ["a", "b"]]}))


def tower(side: Side, *overrides: str) -> nn.Module:
    node = compose("train", ["tower=pair", *overrides])["tower"]
    factory, _ = split_prior(build(node))
    made: nn.Module = factory(side=side, generator=torch.Generator().manual_seed(0))
    return made


def test_each_side_has_the_tower_that_was_chosen_for_it() -> None:
    assert isinstance(tower(USERS), EmbeddingTower)
    assert isinstance(tower(ITEMS), FeatureTower)
    assert isinstance(tower(USERS, "tower@tower.user=features"), FeatureTower)
    assert isinstance(tower(USERS, "tower@tower.user=history"), HistoryEncoder)
    assert isinstance(tower(ITEMS, "tower@tower.item=embedding"), EmbeddingTower)


def test_both_have_the_length_and_the_similarity_of_the_pair() -> None:
    shared = ("tower.emb_dim=5", "tower.similarity=cosine")
    for side in (USERS, ITEMS):
        table = tower(side, *shared).table()  # type: ignore[operator]
        assert table.shape[1] == 5
        torch.testing.assert_close(table.norm(dim=1), torch.ones(len(table)))


def test_values_of_one_side_are_below_its_name() -> None:
    changed = tower(ITEMS, "tower.item.hidden=[7]", "tower.item.text.num_buckets=3")
    assert changed.get_parameter("mlp.0.weight").shape[0] == 7
    assert tower(ITEMS, "tower.item.id=false").get_submodule("columns.0") is not None


def test_users_by_their_histories_meet_items_by_their_features() -> None:
    node = compose("train", ["tower=pair", "tower@tower.user=history", "tower.emb_dim=6"])["tower"]
    model = TwoTower.build(build(node), users=USERS, items=ITEMS, seed=0)
    past = Past(torch.tensor([[0, 1], [2, 0]]), torch.tensor([[True, True], [True, False]]))
    scores = model(torch.tensor([0, 1]), torch.tensor([4, 0]), past)  # item 4 is cold
    assert scores.shape == (2,)
    scores.sum().backward()
    assert model.item_tower.get_parameter("columns.0.weight").grad is not None


def test_a_shared_value_set_for_one_side_is_refused() -> None:
    with pytest.raises(ConfigError) as error:
        compose("train", ["tower=pair", "tower.item.emb_dim=3", "tower.user.similarity=cosine"])
    message = str(error.value)
    assert "tower.item.emb_dim: got 3; expected that of both, emb_dim=16" in message
    assert "tower.user.similarity: got 'cosine'; expected that of both, similarity=dot" in message


@pytest.mark.parametrize("side", ["user", "item"])
def test_an_unknown_tower_lists_the_known_ones(side: str) -> None:
    with pytest.raises(ConfigError, match=r"no such choice.*Valid: .*embedding, features"):
        compose("train", ["tower=pair", f"tower@tower.{side}=nothing"])


def test_an_error_of_a_tower_has_its_path() -> None:
    columns = "tower.item.item_columns={genre: multi_valued}"
    with pytest.raises(ConfigError) as error:
        tower(ITEMS, columns)
    assert str(error.value).startswith("item.item_columns.genre: got 'multi_valued', but there")
    assert "did you mean 'genres'" in str(error.value)


def test_items_are_no_readers_of_histories() -> None:
    class Reader(nn.Module):
        history_length = 3
        ordered = False

        def __init__(self, **_: Any) -> None:
            super().__init__()

        def encode(self, items: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
            return (items * valid[..., None]).sum(1)

    from twotower.tower.pair import tower_of_pair

    generator = torch.Generator()
    assert isinstance(
        tower_of_pair(2, "dot", Reader, Reader, side=USERS, generator=generator), Reader
    )
    with pytest.raises(ConfigError, match=r"^item: got a tower that reads histories of users"):
        tower_of_pair(2, "dot", Reader, Reader, side=ITEMS, generator=generator)


def test_a_wrong_value_in_a_tower_is_named_by_its_path() -> None:
    towers = ["tower=pair", "tower@tower.user=history", "tower/encoder@tower.user.encoder=sasrec"]
    with pytest.raises(ConfigError, match=r"tower\.user\.encoder\.n_heads: got 3, which does not"):
        compose("train", [*towers, "tower.user.encoder.n_heads=3"])
    with pytest.raises(ConfigError, match=r"tower\.item\.text\.words: got \[2, 1\]; expected"):
        compose("train", ["tower=pair", "tower.item.text.words=[2,1]"])
