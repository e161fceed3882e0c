"""Candidates and exclusions are one set logic: evaluation, `recommend` and saved models."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from twotower import config as conf
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


@pytest.mark.parametrize("drop_cold", [True, False])
@pytest.mark.parametrize("tower", TOWERS)
def test_every_way_to_lists_gives_the_same(
    data: list[str], tower: str, drop_cold: bool, tmp_path: Path
) -> None:
    drop = f"split.drop_cold_items={str(drop_cold).lower()}"
    config = conf.compose("train", [*TOWERS[tower], *data, drop])
    experiment = conf.build(config)
    _, frames = experiment.load()
    fold = fold_of(frames, "test", experiment.split, on_train=True)
    model = TwoTower.build(experiment.tower, users=fold.users, items=fold.items, seed=0)
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
            assert lists.drop("score").equals(judged.drop("score"))
            assert lists["score"].to_numpy() == pytest.approx(judged["score"].to_numpy(), abs=1e-6)
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
    assert set(loaded.recommend_to_new(new, 10)["item_id"]) == competes - {3, 9}
    assert set(loaded.recommend_to_new(new, 10, drop_seen=False)["item_id"]) == competes
    of_pandas = loaded.recommend_to_new(new.to_pandas(), 10)
    assert of_pandas.equals(loaded.recommend_to_new(new, 10).to_pandas())
