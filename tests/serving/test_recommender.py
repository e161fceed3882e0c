"""Lists from a model with known weights: original ids in, original ids out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from safetensors.torch import load_file

from twotower.config import build
from twotower.core.errors import ConfigError, DataError
from twotower.model import TwoTower
from twotower.serving.recommender import Recommender
from twotower.types import Histories, Side, Vocabulary

TOWER = {
    "_target_": "twotower.tower.embedding.EmbeddingTower",
    "_partial_": True,
    "emb_dim": 1,
    "init_std": 0.1,
    "similarity": "dot",
    "bias": False,
}
COLUMNS = ["user_id", "item_id", "rank", "score", "title", "based_on"]
ITEMS = pl.DataFrame({"item_id": [10, 20, 30], "title": ["Ten", "Twenty", "Thirty"], "year": 3})


def make(users: pl.Series, items: pl.DataFrame | None = ITEMS) -> Recommender:
    """Scores are weight of user * weight of item:

    first user   10: 1, 20: 2, 30: 3, 40: 4; has seen 40
    second user  10: -1, 20: -2, 30: -3, 40: -4; has seen 10 and 20
    third user   all 0; has seen everything
    """
    ids = pl.DataFrame({"item_id": [10, 20, 30, 40]})
    features = items if items is None else ids.join(items, on="item_id", how="left").drop("item_id")
    sides = Side("user", 3, 3, None), Side("item", 4, 4, features)
    model = TwoTower.build(build(TOWER), users=sides[0], items=sides[1], seed=0)
    weights = {
        "user_tower.weight": torch.tensor([[1.0], [-1.0], [0.0]]),
        "item_tower.weight": torch.tensor([[1.0], [2.0], [3.0], [4.0]]),
    }
    model.load_state_dict(weights)
    histories = Histories.of(
        torch.tensor([0, 1, 1, 2, 2, 2, 2]), torch.tensor([3, 0, 1, 0, 1, 2, 3]), 3, True
    )
    return Recommender(model, TOWER, Vocabulary(users, ids["item_id"]), histories, *sides)


@pytest.fixture
def recommender() -> Recommender:
    return make(pl.Series("user_id", ["ann", "bob", "cid"]))


def test_the_best_unseen_items_come_first(recommender: Recommender) -> None:
    frame = recommender.recommend(["bob", "ann"], k=2)
    assert frame.rows() == [
        ("bob", 30, 1, -3.0, "Thirty", "id"),
        ("bob", 40, 2, -4.0, None, "id"),  # nothing is known of item 40 but its id
        ("ann", 30, 1, 3.0, "Thirty", "id"),
        ("ann", 20, 2, 2.0, "Twenty", "id"),
    ]
    assert frame.columns == COLUMNS


def test_seen_items_can_be_kept(recommender: Recommender) -> None:
    frame = recommender.recommend(["ann"], k=2, drop_seen=False)
    assert frame["item_id"].to_list() == [40, 30]


def test_a_user_with_fewer_candidates_gets_fewer_rows(recommender: Recommender) -> None:
    frame = recommender.recommend(None, k=10)
    assert frame["user_id"].to_list() == ["ann", "ann", "ann", "bob", "bob"]  # cid has seen all
    assert frame["item_id"].to_list() == [30, 20, 10, 30, 40]


def test_a_user_can_be_asked_for_twice_and_nobody_too(recommender: Recommender) -> None:
    assert recommender.recommend(["ann", "ann"], k=1)["user_id"].to_list() == ["ann", "ann"]
    nobody = recommender.recommend([], k=3)
    assert nobody.is_empty()
    assert nobody.columns == COLUMNS


@pytest.mark.parametrize("asked", [[7, 5], ["7", "5"]])
def test_numbers_are_known_however_they_are_written(asked: list[int | str]) -> None:
    frame = make(pl.Series("user_id", [5, 7, 9])).recommend(asked, k=1)
    assert frame["user_id"].to_list() == [7, 5]


def test_without_titles_there_is_no_such_column() -> None:
    frame = make(pl.Series("user_id", [5, 7, 9]), items=None).recommend([5], k=1)
    assert frame.columns == ["user_id", "item_id", "rank", "score", "based_on"]


def test_unknown_users_get_the_most_popular_items_and_are_marked(recommender: Recommender) -> None:
    # Interactions: 10 has 2, 20 has 2, 30 has 1, 40 has 2; of equal ones the later row is first.
    frame = recommender.recommend(["ann", "dan"], k=2)
    assert frame.rows() == [
        ("ann", 30, 1, 3.0, "Thirty", "id"),
        ("ann", 20, 2, 2.0, "Twenty", "id"),
        ("dan", 40, 1, 2.0, None, "popularity"),
        ("dan", 20, 2, 2.0, "Twenty", "popularity"),
    ]
    with pytest.raises(DataError) as caught:
        recommender.require_known(["ann", "dan", "eve"])
    assert str(caught.value) == (
        "users: 2 of 3 are not among the 3 users that the model knows, the first is 'dan'; "
        "must be such as 'ann', 'bob', 'cid'"
    )


def test_unknown_users_of_integer_ids_may_have_any_id() -> None:
    numbered = make(pl.Series("user_id", [5, 7, 9]))
    assert numbered.recommend([5, 8], k=1)["user_id"].to_list() == [5, 8]
    assert numbered.recommend([5, "new"], k=1)["user_id"].to_list() == ["5", "new"]


def test_items_are_chosen_from_those_allowed_and_not_excluded(recommender: Recommender) -> None:
    def items(user: str, **lists: Any) -> Any:
        return recommender.recommend(user, k=3, **lists)["item_id"].to_list()

    assert items("ann") == [30, 20, 10]
    assert items("ann", items=[10, 30, 40]) == [30, 10]  # ann has seen 40
    assert items("ann", items=[10, 30, 99]) == [30, 10]
    assert items("ann", exclude=[30, 99]) == [20, 10]
    assert items("ann", items=[10, 30], exclude=[30]) == [10]
    assert items("dan", items=[10, 30]) == [10, 30]  # by popularity
    with pytest.raises(DataError, match="items: the model can rank none of the 2 items passed"):
        items("ann", items=[98, 99])


def test_similar_items_and_users_are_near_by_cosine_or_dot(recommender: Recommender) -> None:
    # With one dimension all items point the same way: equal cosines, the last row first.
    near = recommender.similar_items([20], k=2)
    assert near.rows() == [(20, 40, 1, 1.0, None), (20, 30, 2, 1.0, "Thirty")]
    assert near.columns == ["item_id", "similar_id", "rank", "score", "title"]
    assert recommender.similar_items(20, k=2, by="dot")["score"].to_list() == [8.0, 6.0]
    assert recommender.similar_items(None, k=9, by="dot").height == 4 * 3  # none is its own
    users = recommender.similar_users(["ann"], k=2)
    assert users.columns == ["user_id", "similar_id", "rank", "score"]
    assert users.rows() == [("ann", "cid", 1, 0.0), ("ann", "bob", 2, -1.0)]
    with pytest.raises(ConfigError, match="by: got 'l2'; must be one of cosine, dot"):
        recommender.similar_items([20], by="l2")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="items: 1 of 1 are not among the 4 items"):
        recommender.similar_items([99])


def test_the_product_of_vectors_is_the_score(recommender: Recommender) -> None:
    assert recommender.user_vectors(["bob", "ann"]).tolist() == [[-1.0], [1.0]]
    assert recommender.item_vectors([40, 10]).tolist() == [[4.0], [1.0]]
    assert (recommender.user_vectors().shape, recommender.item_vectors().shape) == ((3, 1), (4, 1))
    histories = knowing_histories()
    assert histories.user_vectors(["bob", "ann"]).tolist() == [[1.5], [4.0]]  # (1 + 2) / 2
    with pytest.raises(DataError, match="users: 1 of 1 are not among"):
        recommender.user_vectors(["dan"])


@pytest.mark.parametrize("items", [ITEMS, None])
@pytest.mark.parametrize("users", [["ann", "bob", "cid"], [5, 7, 9]])
def test_a_loaded_model_recommends_the_same(
    tmp_path: Path, users: list[str] | list[int], items: pl.DataFrame | None
) -> None:
    recommender = make(pl.Series("user_id", users), items)
    recommender.save(tmp_path / "model")
    loaded = Recommender.load(tmp_path / "model")
    for drop_seen in (True, False):
        one, same = (r.recommend(None, 3, drop_seen) for r in (recommender, loaded))
        assert one.equals(same)
    assert loaded.vocabulary.users.dtype == recommender.vocabulary.users.dtype


HISTORY = {
    "_target_": "twotower.tower.history.tower_of_side",
    "_partial_": True,
    "emb_dim": 1,
    "init_std": 0.1,
    "similarity": "dot",
    "history_length": 2,
    "encoder": {"_target_": "twotower.tower.encoder.mean.MeanEncoder", "_partial_": True},
}
NEW = pl.DataFrame(
    {
        "user_id": ["zoe", "yan", "zoe", "zoe", "zoe"],
        "item_id": [30, 20, 40, 10, 99],  # item 99 is none of the model's
        "timestamp": [3, 1, 2, 1, 4],
    }
)


def knowing_histories() -> Recommender:
    """Items 10, 20, 30, 40 are 1, 2, 3, 4; a user is the mean of the newest two."""
    old = make(pl.Series("user_id", ["ann", "bob", "cid"]))
    model = TwoTower.build(build(HISTORY), users=old.users, items=old.items, seed=0)
    weights = {
        "user_tower.start": torch.zeros(1),
        "item_tower.weight": torch.tensor([[1.0], [2.0], [3.0], [4.0]]),
    }
    model.load_state_dict(weights)
    return replace(old, model=model, tower=HISTORY)


def test_new_users_are_served_by_their_histories(tmp_path: Path) -> None:
    # yan met 20: (2); zoe 10, 40, 30 in order of time: (3 + 4) / 2; what was seen is dropped.
    expected = [
        ("yan", 40, 1, 8.0, None, "history", 1),
        ("yan", 30, 2, 6.0, "Thirty", "history", 1),
        ("zoe", 20, 1, 7.0, "Twenty", "history", 3),
    ]
    recommender = knowing_histories()
    assert recommender.recommend_from(NEW, k=2).rows() == expected
    recommender.save(tmp_path)
    assert Recommender.load(tmp_path).recommend_from(NEW, k=2).rows() == expected
    kept = recommender.recommend_from(NEW, k=1, drop_seen=False)
    assert kept["item_id"].to_list() == [40, 40]
    # Without times the newest are any two of zoe's three, the same each time.
    untimed = NEW.drop("timestamp")
    one, same = (recommender.recommend_from(untimed, k=3) for _ in range(2))
    assert one.equals(same)


def test_new_users_without_known_items_are_marked() -> None:
    stranger = pl.DataFrame({"user_id": ["xan"], "item_id": [99], "timestamp": [1]})
    frame = knowing_histories().recommend_from(pl.concat([NEW, stranger]), k=1)
    assert dict(frame.select("user_id", "n_known").rows()) == {"xan": 0, "yan": 1, "zoe": 3}
    assert frame["based_on"].to_list() == ["no_history", "history", "history"]
    # A user of whom nothing is known gets the list of a user without a history.
    unknown = knowing_histories().recommend(["ann", "xan"], k=1)
    assert unknown["based_on"].to_list() == ["history", "no_history"]
    allowed = knowing_histories().recommend_from(NEW, k=3, items=[10, 20], exclude=[10])
    assert allowed.select("user_id", "item_id").rows() == [("zoe", 20)]


def test_new_users_need_a_model_that_reads_histories(recommender: Recommender) -> None:
    with pytest.raises(DataError, match="user tower is EmbeddingTower; train one with tower=hist"):
        recommender.recommend_from(NEW, k=2)
    with pytest.raises(DataError, match="none of their 1 interactions is with an item that"):
        knowing_histories().recommend_from(NEW[-1:], k=2)


def test_weights_are_plain_tensors(recommender: Recommender, tmp_path: Path) -> None:
    recommender.save(tmp_path)
    weights = load_file(tmp_path / "weights.safetensors")
    assert weights["item_tower.weight"].flatten().tolist() == [1, 2, 3, 4]


def test_an_incomplete_model_is_refused(recommender: Recommender, tmp_path: Path) -> None:
    recommender.save(tmp_path)
    (tmp_path / "users.parquet").unlink()
    (tmp_path / "weights.safetensors").unlink()
    with pytest.raises(DataError) as caught:
        Recommender.load(tmp_path)
    text = f"{tmp_path} holds no complete model: weights.safetensors, users.parquet not found"
    assert str(caught.value) == text


@pytest.mark.parametrize("k", [0, -1, "3", 2.0, True, None])
def test_a_k_that_is_not_a_positive_integer_is_refused(recommender: Recommender, k: object) -> None:
    with pytest.raises(ConfigError) as caught:
        recommender.recommend(None, k)  # type: ignore[arg-type]
    assert str(caught.value) == f"k: got {k!r}; must be an integer >= 1"
    with pytest.raises(ConfigError, match="k: got"):
        knowing_histories().recommend_from(NEW, k)  # type: ignore[arg-type]


def test_drop_seen_is_true_or_false(recommender: Recommender) -> None:
    with pytest.raises(ConfigError, match="drop_seen: got 'false'; must be True or False"):
        recommender.recommend(None, 3, "false")  # type: ignore[arg-type]


def test_one_user_is_a_list_of_one_and_text_is_one_user() -> None:
    numbered = make(pl.Series("user_id", [1, 2, 12]))
    for asked in (12, "12", 12.0, np.int64(12), np.array([12]), pd.Series([12]), pl.Series(["12"])):
        assert numbered.recommend(asked, 1, drop_seen=False)["user_id"].to_list() == [12]
    unknown = numbered.recommend("012", 1)
    assert unknown.select("user_id", "based_on").rows() == [("012", "popularity")]
    for nobody in ([None], [True], [1.5], b"12"):
        with pytest.raises(DataError, match=r"users: got .*, which is no id; must be one id"):
            numbered.recommend(nobody, 1)


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (3, "new users: got int; must be a Polars or pandas frame"),
        (NEW.drop("item_id"), "new users: no column 'item_id'; there are"),
        (NEW.with_columns(user_id=pl.lit("NULL")), "new users: column 'user_id' has no id"),
        (NEW.with_columns(item_id=pl.lit("010")), "none of their 5 .* got ids such as '010'"),
    ],
)
def test_new_users_of_another_form_are_refused(new: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        knowing_histories().recommend_from(new, k=2)


def test_new_users_are_the_same_however_ids_are_written_and_lines_are_sorted() -> None:
    recommender = knowing_histories()
    lists = recommender.recommend_from(NEW, k=2)
    assert recommender.recommend_from(NEW.to_pandas(), k=2).equals(lists.to_pandas())
    assert recommender.recommend_from(NEW.to_dict(as_series=False), k=2).equals(lists)
    as_text = NEW.with_columns(pl.format("{}.0", "item_id").alias("item_id"))
    assert recommender.recommend_from(as_text, k=2).equals(lists)
    # zoe's three items at one moment: which two are the newest does not follow from the lines.
    tied = NEW.with_columns(timestamp=1)
    one = recommender.recommend_from(tied, k=4, drop_seen=False)
    assert one.equals(recommender.recommend_from(tied.reverse(), k=4, drop_seen=False))
