"""Made-up data: what is promised of it, and that there is a taste to be found."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from twotower.core.errors import ConfigError
from twotower.dataset.synthetic import Synthetic


def synthetic(
    n_users: int = 200,
    n_items: int = 150,
    n_interactions: int = 4_000,
    popularity_exponent: float = 1.0,
    n_candidates: int = 20,
    seed: int = 0,
) -> Synthetic:
    return Synthetic(
        n_users, n_items, n_interactions, 8, popularity_exponent, n_candidates, 0.5, seed
    )


def test_shape_of_the_log() -> None:
    data = synthetic().load()
    assert data.log.height == 4_000
    assert data.log.select("user_id", "item_id").is_unique().all()
    assert data.log["user_id"].is_between(0, 199).all()
    assert data.log["item_id"].is_between(0, 149).all()
    assert data.log["timestamp"].is_unique().all()
    assert data.log["timestamp"].is_sorted()
    assert set(data.log["rating"]) <= {1.0, 2.0, 3.0, 4.0, 5.0}
    assert data.items is not None
    assert data.items["title"][7] == "Item 7"
    assert data.items.height == 150
    assert data.users is not None
    assert data.users.height == 200


def test_the_seed_decides() -> None:
    assert synthetic().load().digest == synthetic().load().digest
    assert synthetic().load().digest != synthetic(seed=1).load().digest


def test_exposure_follows_the_power_law() -> None:
    # With one candidate taste has no say: the item of rank 1 comes up 2^1 times as often as rank 2,
    # and in so sparse a draw hardly any pair is refused as a repeat.
    data = synthetic(n_users=20_000, n_candidates=1, n_interactions=4_000)
    exposure = np.sort(data.truth().exposure)[::-1]
    assert exposure[0] / exposure[1] == pytest.approx(2.0)
    counts = data.load().log["item_id"].value_counts()["count"].sort(descending=True)
    # 4,000 x 0.18, 0.09 and 0.06 draws: the standard error of the last is 6 %.
    assert counts[:3].to_numpy() / 4_000 == pytest.approx(exposure[:3], rel=0.2)


def test_features_follow_the_taste() -> None:
    data = synthetic(n_interactions=8_000).load()
    assert data.users is not None
    assert data.items is not None
    log = data.log.join(data.users, on="user_id").join(data.items, on="item_id")
    own = pl.col("segment").str.strip_prefix("segment_") == pl.col("category").str.strip_prefix(
        "category_"
    )
    # A category out of 8 at random would be one's own in 12.5 % of the interactions.
    assert log.select(own.mean()).item() > 0.2


def test_an_oracle_beats_popularity() -> None:
    """The last fifth is predicted; the oracle knows the factors, popularity the train part."""
    data = synthetic()
    log, truth = data.load().log, data.truth()
    train, test = log[:3_200], log[3_200:]
    seen, relevant = np.zeros((200, 150), dtype=bool), np.zeros((200, 150), dtype=bool)
    seen[train["user_id"], train["item_id"]] = True
    relevant[test["user_id"], test["item_id"]] = True

    def hit_rate(scores: NDArray[np.float64]) -> float:
        top = np.argsort(-np.where(seen, -np.inf, scores), axis=1)[:, :10]
        hits = np.take_along_axis(relevant, top, axis=1).sum(axis=1) > 0
        return float(hits[relevant.sum(axis=1) > 0].mean())

    affinity = truth.users @ truth.items.T
    oracle = hit_rate(np.log(truth.exposure) + affinity / 0.5)
    popularity = hit_rate(np.broadcast_to(seen.sum(axis=0), seen.shape).astype(np.float64))
    assert oracle > popularity + 0.15


def test_too_many_pairs_are_refused() -> None:
    with pytest.raises(ConfigError) as error:
        synthetic(n_interactions=15_001).load()
    assert str(error.value) == (
        "dataset.n_interactions is 15001, more than half of the 200 x 150 pairs; lower it, or "
        "raise dataset.n_users or dataset.n_items"
    )


def test_pairs_that_never_come_up_are_refused() -> None:
    # At a popularity exponent of 30 nobody ever sees more than one or two items.
    with pytest.raises(ConfigError, match=r"after \d+ distinct pairs hardly any new one comes up"):
        synthetic(popularity_exponent=30.0).load()
