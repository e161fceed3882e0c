"""The feature tower on tables small enough to work out by hand."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import polars as pl
import pytest
import torch
from torch import Tensor, nn

from twotower.core.errors import ConfigError
from twotower.tower.features import FeatureTower
from twotower.tower.text.ngrams import NgramText
from twotower.types import Side

# Three rows of train and two cold ones.
SMALL = pl.DataFrame(
    {"color": ["red", "blue", "red", "green", None], "year": [1, 3, None, 5, None]},
)
# Every kind of column, 7 rows of train and 2 cold ones.
FULL = pl.DataFrame(
    {
        "title": ["Toy Story", "Heat", "Jumanji", None, "Heat", "Casino", "Babe", "Zebra", "Heat"],
        "year": [1995, 1996, None, 1995, 1990, 1991, 1992, 1993, 2000],
        "genres": [["A", "B"], ["A"], None, [], ["C", "A"], ["B"], ["B"], ["X"], ["A", "X"]],
        "color": ["r", "g", "r", "g", "r", "g", "r", "r", "w"],
    }
)
ROWS = torch.arange(9)
TEXT: Callable[..., nn.Module] = partial(NgramText, (1, 1), None, 1000)


def tower(
    features: pl.DataFrame | None = FULL, *, n_train: int = 7, seed: int = 0, **changed: Any
) -> FeatureTower:
    n = 9 if features is None else len(features)
    values = {
        "emb_dim": 3,
        "init_std": 0.1,
        "similarity": "dot",
        "id": True,
        "id_dropout": 0.0,
        "user_columns": None,
        "item_columns": "auto",
        "max_distinct": 0.7,
        "vectors": "frozen",
        "feature_dim": 2,
        "hidden": [4],
        "text": TEXT,
    }
    side = Side("item", n, n_train, features)
    return FeatureTower(
        **{**values, **changed}, side=side, generator=torch.Generator().manual_seed(seed)
    )


def by_hand(similarity: str = "dot", *, id: bool = True) -> FeatureTower:
    """Of SMALL: blue is 3 and red is 5; the first number is the color's and a half, the second the
    year's and 10 where it is missing."""
    made = tower(
        SMALL, n_train=3, emb_dim=2, feature_dim=1, hidden=[], similarity=similarity, id=id
    )
    weights = {
        "columns.0.weight": torch.tensor([[3.0], [5.0]]),
        "mlp.0.weight": torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 10.0]]),
        "mlp.0.bias": torch.tensor([0.5, 0.0]),
    }
    if id:
        weights["ids.weight"] = torch.tensor([[100.0, 0.0], [0.0, 100.0], [0.0, 0.0]])
    made.load_state_dict({**made.state_dict(), **weights})
    return made


# The years of train, 1 and 3, have mean 2 and deviation 1: 1 is -1, 3 is 1, and the cold 5 is 3.
# Colors 5, 3, 5, and 0 for green, which train lacks, and for none.
BY_FEATURES = torch.tensor([[5.5, -1.0], [3.5, 1.0], [5.5, 10.0], [0.5, 3.0], [0.5, 10.0]])


def test_a_row_is_what_its_columns_give_and_a_row_of_train_its_free_vector_too() -> None:
    assert torch.equal(by_hand(id=False).table(), BY_FEATURES)
    free = torch.tensor([[100.0, 0.0], [0.0, 100.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    assert torch.equal(by_hand().table(), BY_FEATURES + free)


def test_a_hidden_layer_passes_what_is_positive() -> None:
    made = tower(SMALL, n_train=3, emb_dim=1, feature_dim=1, hidden=[2], id=False)
    weights = {
        "columns.0.weight": torch.tensor([[3.0], [-5.0]]),
        "mlp.0.weight": torch.tensor([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]]),
        "mlp.0.bias": torch.tensor([0.0, 1.0]),
        "mlp.2.weight": torch.tensor([[1.0, 10.0]]),
        "mlp.2.bias": torch.tensor([0.25]),
    }
    made.load_state_dict({**made.state_dict(), **weights})
    # blue 3: max(3, 0) + 10 max(1 - 3, 0) = 3; red -5: 0 + 10 * 6; none 0: 0 + 10 * 1; each + 0.25.
    expected = [[60.25], [3.25], [60.25], [10.25], [10.25]]
    assert made.table().tolist() == expected


def test_cosine_gives_embeddings_of_length_one() -> None:
    expected = BY_FEATURES / BY_FEATURES.square().sum(1, keepdim=True).sqrt()
    torch.testing.assert_close(by_hand("cosine", id=False).table(), expected)


@pytest.mark.parametrize("shape", [(0,), (4,), (2, 3), (2, 0)])
def test_rows_of_any_shape_are_rows_of_the_table(shape: tuple[int, ...]) -> None:
    made = tower()
    rows = torch.randint(9, shape, generator=torch.Generator().manual_seed(0))
    assert made(rows).shape == (*shape, 3)
    torch.testing.assert_close(made(rows), made.table()[rows])
    assert torch.equal(made(ROWS), made.table())


def test_a_side_of_many_rows_is_encoded_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    made = tower()
    whole = made.table()
    monkeypatch.setattr("twotower.tower.features._BLOCK", 2)
    torch.testing.assert_close(made.table(), whole)
    assert torch.equal(made(ROWS), made.table())


def test_the_gradient_of_repeated_rows_adds_up() -> None:
    made, once = tower(), tower()
    made(torch.tensor([[1, 1], [8, 1]])).sum().backward()
    (3 * once(torch.tensor([1])).sum() + once(torch.tensor([8])).sum()).backward()
    for (name, one), other in zip(made.named_parameters(), once.parameters(), strict=True):
        assert one.grad is not None, name
        assert other.grad is not None, name
        torch.testing.assert_close(one.grad, other.grad)


def test_the_gradient_reaches_every_parameter() -> None:
    made = tower()
    made(ROWS).square().sum().backward()
    names = {name for name, _ in made.named_parameters()}
    assert {"ids.weight", "columns.0.weight", "columns.2.weight", "mlp.2.bias"} <= names
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_what_cold_rows_hold_changes_nothing_that_is_learned() -> None:
    other = FULL.head(7).vstack(
        FULL.tail(2).with_columns(
            title=pl.lit("Aardvark"),
            year=pl.lit(10**6, pl.Int64),
            genres=pl.lit(["0", "Z"]),
            color=pl.lit("a"),
        )
    )
    made, changed, without = tower(), tower(other), tower(FULL.head(7))
    for same in (changed, without):
        assert torch.equal(made(ROWS[:7]), same(ROWS[:7]))
        for name, parameter in made.named_parameters():
            assert torch.equal(parameter, same.get_parameter(name)), name
    assert not torch.equal(made(ROWS[7:]), changed(ROWS[7:]))


def test_the_generator_alone_decides() -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    one, same, other = tower(seed=3), tower(seed=3), tower(seed=4)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert torch.equal(one.table(), same.table())
    assert not torch.equal(one.table(), other.table())


def test_a_saved_state_fits_a_newly_built_tower() -> None:
    one, other = tower(seed=3), tower(seed=4)
    other.load_state_dict(one.state_dict())
    assert torch.equal(one.table(), other.table())


def test_what_is_encoded_goes_with_the_weights_and_is_not_trained() -> None:
    made = tower()
    buffers = {name for name, _ in made.named_buffers()}
    assert {"columns.1.values", "columns.2.values"} <= buffers
    assert buffers <= made.state_dict().keys()
    assert not any(buffer.requires_grad for buffer in made.buffers())
    assert {tensor.device.type for tensor in made.to("meta").buffers()} == {"meta"}


# --- free vectors left out


def dropped(made: FeatureTower, batches: int) -> list[list[bool]]:
    """For each of so many batches of all rows, which ones are known by their features alone."""
    alone = made.table()[:7] - by_ids(made)
    return [(made(ROWS[:7]) - alone).abs().amax(1).lt(1e-6).tolist() for _ in range(batches)]


def by_ids(made: FeatureTower) -> Tensor:
    assert made.ids is not None
    return made.ids.weight


def test_in_training_some_rows_are_known_by_their_features_alone() -> None:
    made = tower(id_dropout=0.25)
    draws = dropped(made.train(), 400)
    share = sum(map(sum, draws)) / (400 * 7)
    # 2800 draws of 1/4: the standard error is sqrt(3/16 / 2800) = 0.008.
    assert abs(share - 0.25) < 0.033
    assert draws[0] != draws[1] or draws[1] != draws[2]
    assert not any(map(any, dropped(made.eval(), 5)))
    assert not any(map(any, dropped(tower(id_dropout=0.0).train(), 5)))


def test_the_choice_follows_from_the_seed_and_resumes_from_a_saved_state() -> None:
    make = partial(tower, id_dropout=0.5)
    draws = dropped(make(seed=1).train(), 20)
    assert dropped(make(seed=1).train(), 20) == draws
    assert dropped(make(seed=2).train(), 20) != draws
    begun = make(seed=1).train()
    assert dropped(begun, 12) == draws[:12]
    resumed = make(seed=2).train()
    resumed.load_state_dict(begun.state_dict())
    assert dropped(resumed, 8) == draws[12:]


def test_validation_between_batches_of_training_changes_no_draw() -> None:
    made = tower(id_dropout=0.5, seed=1)
    draws = dropped(tower(id_dropout=0.5, seed=1).train(), 2)
    first = dropped(made.train(), 1)
    made.eval()(ROWS)
    made.table()
    assert first + dropped(made.train(), 1) == draws


# --- without features


@pytest.mark.parametrize("features", [None, pl.DataFrame({"x": [None] * 9})])
def test_a_side_without_features_is_known_by_its_ids(
    features: pl.DataFrame | None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        made = tower(features)
    problem = [message for message in caplog.messages if "ids alone" in message]
    assert problem == [
        "Tower of items: the dataset has no features of items that a tower can read "
        "(tower.item_columns=auto); it knows them by their ids alone, as tower=embedding does"
    ]
    assert torch.equal(made.table(), by_ids(made))
    assert torch.equal(made(torch.tensor([6, 0])), by_ids(made)[[6, 0]])


def test_columns_that_are_not_asked_for_are_not_missed(caplog: pytest.LogCaptureFixture) -> None:
    made = tower(item_columns=None)
    assert caplog.messages == []
    assert torch.equal(made.table(), by_ids(made))


@pytest.mark.parametrize(
    ("features", "columns", "problem"),
    [
        (None, "auto", "the dataset has no features of items"),
        (FULL, None, "item_columns is None"),
        (FULL, {}, "item_columns is {}"),
    ],
)
def test_without_features_and_ids_there_is_nothing_to_know_a_row_by(
    features: pl.DataFrame | None, columns: Any, problem: str
) -> None:
    with pytest.raises(ConfigError, match="nothing distinguishes one row from another") as error:
        tower(features, item_columns=columns, id=False)
    assert str(error.value).startswith(f"id: got False, but {problem}")
