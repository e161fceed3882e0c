"""Candidates and exclusions are one set logic: evaluation, `recommend` and saved models."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from twotower import config as conf
from twotower.core.errors import DataError
from twotower.evaluation import recommendations_frame
from twotower.model import TwoTower
from twotower.serving.recommender import Recommender
from twotower.split.fold import fold_of

# Nine users meet items 0 to 7 in turn. User 0's last but one, which is validation, is item 8, that
# nobody else meets: cold to train and seen. Item 9 is in no interaction: features alone know it.
WARM = [(user, (user + step) % 8, step) for user in range(9) for step in range(5)]
LOG = [*WARM[:3], (0, 8, 3), (0, 4, 4), *WARM[5:]]
TOWERS = {
    "embedding": ["tower=embedding"],
    "features": ["tower=features"],
    "history": ["tower=history"],
    "pair": ["tower=pair", "tower@tower.user=history", "tower@tower.item=features"],
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("data")
    schema = ["user_id", "item_id", "timestamp"]
    pl.DataFrame(LOG, schema=schema, orient="row").write_csv(folder / "log.csv")
    kinds = [f"kind{item % 3}" for item in range(10)]
    items = pl.DataFrame({"item_id": range(10), "kind": kinds, "price": [*range(9), 20]})
    items.write_csv(folder / "items.csv")
    return [
        "dataset=file",
        f"dataset.path={folder}/log.csv",
        f"dataset.items_path={folder}/items.csv",
        "dataset.timestamp_unit=order",
        "preprocessing=none",
        "split=last_n",
        "tower.emb_dim=4",
        "evaluation.k=10",
        f"output_dir={folder}",
        "tracking=none",
    ]


@pytest.mark.parametrize(("drop_cold", "prior"), [(True, "none"), (False, "popularity")])
@pytest.mark.parametrize("tower", TOWERS)
def test_every_way_to_lists_gives_the_same(
    data: list[str], tower: str, drop_cold: bool, prior: str, tmp_path: Path
) -> None:
    drop = f"split.drop_cold_items={str(drop_cold).lower()}"
    config = conf.compose("train", [*TOWERS[tower], *data, drop, f"tower/prior={prior}"])
    experiment = conf.build(config)
    _, frames = experiment.load()
    fold = fold_of(frames, "test", experiment.split, on_train=True)
    model = TwoTower.build(
        experiment.tower, users=fold.users, items=fold.items, seed=0, train=fold.train
    )
    recommender = Recommender(
        model, config["tower"], fold.vocabulary, fold.histories, fold.users, fold.items
    )
    recommender.save(tmp_path)
    loaded = Recommender.load(tmp_path)

    knows_features = tower in ("features", "pair")
    competes = {*range(8)} | ({8, 9} if knows_features and not drop_cold else set())
    scorer = model.scorer(fold.train_histories)
    for drop_seen in (True, False):
        evaluation = conf.build(
            conf.compose("train", [*data, f"evaluation.drop_seen={str(drop_seen).lower()}"])
        ).evaluation
        judged = recommendations_frame(
            evaluation.recommend(scorer, fold), fold.vocabulary, frames.items
        )
        users = judged["user_id"].unique(maintain_order=True)
        for served in (recommender, loaded):
            lists = served.recommend(users, 10, drop_seen)
            assert lists.drop("based_on").equals(judged)  # scores too, to the last bit
            for user in users:
                alone = served.recommend([user], 10, drop_seen)
                assert alone.equals(lists.filter(pl.col("user_id") == user))
        # User 0 saw 0, 1, 2 in train and 8 in validation.
        of_first = set(judged.filter(pl.col("user_id") == 0)["item_id"])
        assert of_first == competes - ({0, 1, 2, 8} if drop_seen else set())


@pytest.mark.parametrize("tower", ["history", "pair"])
def test_new_users_get_no_cold_item_that_they_saw(
    data: list[str], tower: str, tmp_path: Path
) -> None:
    config = conf.compose("train", [*TOWERS[tower], *data, "split.drop_cold_items=false"])
    experiment = conf.build(config)
    _, frames = experiment.load()
    fold = fold_of(frames, "test", experiment.split, on_train=True)
    model = TwoTower.build(experiment.tower, users=fold.users, items=fold.items, seed=0)
    Recommender(
        model, config["tower"], fold.vocabulary, fold.histories, fold.users, fold.items
    ).save(tmp_path)
    loaded = Recommender.load(tmp_path)
    # Item 77 is none of the model's; 8 and 9 compete where features are known, and 9 was seen.
    new = pl.DataFrame({"user_id": ["n"] * 3, "item_id": [9, 3, 77], "timestamp": [1, 2, 3]})
    competes = {*range(8)} | ({8, 9} if tower == "pair" else set())
    assert set(loaded.recommend_from(new, 10)["item_id"]) == competes - {3, 9}
    assert set(loaded.recommend_from(new, 10, drop_seen=False)["item_id"]) == competes
    of_pandas = loaded.recommend_from(new.to_pandas(), 10)
    assert of_pandas.equals(loaded.recommend_from(new, 10).to_pandas())


@pytest.mark.parametrize("tower", ["features", "pair"])
def test_new_items_with_features_are_ranked_without_training(data: list[str], tower: str) -> None:
    config = conf.compose("train", [*TOWERS[tower], *data, "split.drop_cold_items=false"])
    experiment = conf.build(config)
    _, frames = experiment.load()
    fold = fold_of(frames, "test", experiment.split, on_train=True)
    model = TwoTower.build(experiment.tower, users=fold.users, items=fold.items, seed=0)
    known = Recommender(
        model, config["tower"], fold.vocabulary, fold.histories, fold.users, fold.items
    )
    new = pl.DataFrame({"item_id": [3, 50, 51, 50], "kind": ["kind2", "kind1", "new", "kind0"]})
    served = known.with_items(new.to_pandas())
    # 3 is known and 50 repeated; the features of the others are those of the first row.
    assert served.items.n == known.items.n + 2
    before, after = (r.recommend(None, 20, drop_seen=False) for r in (known, served))
    assert set(after["item_id"]) == set(before["item_id"]) | {50, 51}
    old = after.filter(~pl.col("item_id").is_in([50, 51]))
    # What was known keeps its scores, but for the rounding of a wider product.
    assert old.drop("rank", "score").equals(before.drop("rank", "score"))
    assert old["score"].to_numpy() == pytest.approx(before["score"].to_numpy(), abs=1e-8)
    # An item of the same kind and price, of which no vector of its own was trained, is the same.
    twin = known.with_items(pl.DataFrame({"item_id": ["t"], "kind": ["kind0"], "price": [20]}))
    assert twin.item_vectors(["t"]).tolist() == twin.item_vectors([9]).tolist()
    assert twin.similar_items(["t"], k=1)["similar_id"].to_list() == ["9"]


def test_new_users_with_features_are_served_without_training(tmp_path: Path) -> None:
    schema = ["user_id", "item_id", "timestamp"]
    ages = pl.DataFrame({"user_id": range(9), "age": [20, 30, 40] * 3})
    folder = ["dataset=file", f"dataset.path={tmp_path}/log.csv", f"output_dir={tmp_path}"]
    pl.DataFrame(LOG, schema=schema, orient="row").write_csv(tmp_path / "log.csv")
    ages.write_csv(tmp_path / "users.csv")
    lines = [*folder, f"dataset.users_path={tmp_path}/users.csv", "dataset.timestamp_unit=order"]
    lines += ["tower=features", "tower.id=false", "tower.emb_dim=4", "preprocessing=none"]
    lines += ["split=last_n", "tower.item_columns={}", "tower.id=true", "tracking=none"]
    config = conf.compose("train", lines)
    experiment = conf.build(config)
    _, frames = experiment.load()
    fold = fold_of(frames, "test", experiment.split, on_train=True)
    model = TwoTower.build(experiment.tower, users=fold.users, items=fold.items, seed=0)
    known = Recommender(
        model, config["tower"], fold.vocabulary, fold.histories, fold.users, fold.items
    )
    served = known.with_users(pl.DataFrame({"user_id": [90, 91], "age": [30, None]}))
    lists = served.recommend([0, 90, 91, 92], k=8)
    assert lists.unique("user_id", maintain_order=True)["based_on"].to_list() == [
        *("id", "features", "features", "popularity")
    ]
    assert lists.filter(pl.col("user_id") == 90).height == 8  # a new user has seen nothing
    with pytest.raises(DataError, match="items: the model knows its items by their ids alone"):
        known.with_items(pl.DataFrame({"item_id": [70]}))
    with pytest.raises(DataError, match="users: column 'age' is of type String; expected Int64"):
        known.with_users(pl.DataFrame({"user_id": [90], "age": ["old"]}))
