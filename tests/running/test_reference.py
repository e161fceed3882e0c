"""Measured baselines are cached, and measured again when anything relevant changes."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal
from torch import Tensor

from twotower.config import CONF_DIR, build, compose
from twotower.evaluation import Evaluation, Measured
from twotower.running.reference import References
from twotower.split.fold import make_fold
from twotower.types import Fold, Scorer, TrainInteractions

CHOICES = sorted(path.stem for path in (CONF_DIR / "baselines").glob("*.yaml"))
KEY = "1234abcd/validation"
FITS: list[float] = []


@dataclass(frozen=True)
class Slope:
    """Scores an item by its row number times `slope`, and notes each fit."""

    slope: float

    def fit(self, train: TrainInteractions) -> Scorer:
        FITS.append(self.slope)
        return Line(self.slope, train.n_items)


@dataclass(frozen=True)
class Line:
    slope: float
    n_items: int
    n_users = 3

    def score_all(self, users: Tensor) -> Tensor:
        return (self.slope * torch.arange(self.n_items)).expand(len(users), -1)


@pytest.fixture(autouse=True)
def no_fits() -> None:
    FITS.clear()


@pytest.fixture(scope="module")
def evaluation_node() -> dict[str, Any]:
    overrides = ["evaluation.k=1", "evaluation.metrics=[ndcg,hitrate,coverage]"]
    node: dict[str, Any] = compose("train", overrides)["evaluation"]
    return node


@pytest.fixture(scope="module")
def fold() -> Fold:
    """Users have seen 0 / 3 / 1, 2 of four items and should get 3 / 0 / 3."""
    train = pl.DataFrame({"user_id": [0, 1, 2, 2], "item_id": [0, 3, 1, 2]})
    holdout = pl.DataFrame({"user_id": [0, 1, 2], "item_id": [3, 0, 3]})
    return make_fold(train, holdout, train, drop_cold_users=True, drop_cold_items=True)


@pytest.fixture
def references(tmp_path: Path, evaluation_node: dict[str, Any]) -> References:
    return make({"up": 1.0, "down": -1.0}, evaluation_node, tmp_path)


def make(
    slopes: Mapping[str, float], evaluation_node: Mapping[str, Any], folder: Path
) -> References:
    baselines = {name: Slope(slope) for name, slope in slopes.items()}
    evaluation: Evaluation = build(dict(evaluation_node))
    nodes = {name: {"slope": slope} for name, slope in slopes.items()}
    config = {"baselines": nodes, "evaluation": evaluation_node}
    return References(baselines, evaluation, config, folder)


def assert_same(one: Measured, other: Measured) -> None:
    """To the last bit."""
    assert one.values == other.values
    assert one.intervals == other.intervals
    assert_frame_equal(one.per_user, other.per_user, check_exact=True)


def test_values_match_those_by_hand_and_are_cached_to_the_last_bit(
    references: References, fold: Fold
) -> None:
    first = references.measure(fold, KEY)
    # up: 3, 2 and 3 are the unseen items with the highest number: two of three users are hit.
    # down: 1, 0 and 0: one of three. Two of four items are shown, both times.
    assert first["up"].values == {
        "ndcg_at_1": pytest.approx(2 / 3),
        "hitrate_at_1": pytest.approx(2 / 3),
        "coverage_at_1": 0.5,
    }
    assert first["down"].values["hitrate_at_1"] == pytest.approx(1 / 3)
    again = references.measure(fold, KEY)
    assert FITS == [1.0, -1.0]
    assert list(again) == ["up", "down"]
    for name, measured in first.items():
        assert_same(again[name], measured)
    direct = references.evaluation.recommend(Line(1.0, n_items=4), fold)
    assert_same(again["up"], references.evaluation.measure(direct, fold))


def test_the_time_of_the_fit_is_kept(references: References, fold: Fold) -> None:
    first = references.measure_one("up", fold, KEY)
    assert 0 < first.seconds < 10
    assert references.measure_one("up", fold, KEY).seconds == first.seconds


def test_another_part_value_or_evaluation_is_measured_again(
    references: References, fold: Fold, tmp_path: Path
) -> None:
    references.measure_one("up", fold, KEY)
    references.measure_one("up", fold, "1234abcd/test")
    assert FITS == [1.0, 1.0]
    node = dict(references.config["evaluation"])
    make({"up": 2.0}, node, tmp_path).measure_one("up", fold, KEY)
    assert FITS == [1.0, 1.0, 2.0]
    for key, value in {"k": 2, "drop_seen": False, "confidence": 0.5}.items():
        FITS.clear()
        changed = make({"up": 1.0}, {**node, key: value}, tmp_path)
        changed.measure_one("up", fold, KEY)
        assert FITS == [1.0], key


def test_an_irrelevant_setting_does_not_change_the_entry(
    references: References, fold: Fold, tmp_path: Path
) -> None:
    references.measure(fold, KEY)
    FITS.clear()
    for key, value in {"block_scores": 5, "monitor": "hitrate", "test": "all"}.items():
        node = {**references.config["evaluation"], key: value}
        make({"another name": 1.0}, node, tmp_path).measure(fold, KEY)
    assert FITS == []


def test_a_damaged_entry_is_replaced(
    references: References, fold: Fold, caplog: pytest.LogCaptureFixture
) -> None:
    first = references.measure_one("up", fold, KEY).measured
    for name in ("per_user.parquet", "meta.json"):
        (path,) = references.directory.rglob(name)
        path.write_bytes(path.read_bytes()[:-20])
        FITS.clear()
        assert_same(references.measure_one("up", fold, KEY).measured, first)
        assert FITS == [1.0]
        assert "Rebuilding the damaged cache entry" in caplog.text
        caplog.clear()


def test_concurrent_callers_fit_once(references: References, fold: Fold) -> None:
    with ThreadPoolExecutor(4) as pool:
        tasks = [pool.submit(references.measure_one, "up", fold, KEY) for _ in range(4)]
    assert {task.result().measured.values["ndcg_at_1"] for task in tasks} == {2 / 3}
    assert FITS == [1.0]


def test_a_fit_that_fails_leaves_nothing(references: References, fold: Fold) -> None:
    broken = replace(references, baselines={"up": Broken()})
    with pytest.raises(MemoryError):
        broken.measure(fold, KEY)
    assert [path.name for path in references.directory.rglob("*.json")] == []


@dataclass(frozen=True)
class Broken:
    def fit(self, train: TrainInteractions) -> Scorer:
        raise MemoryError


def test_a_run_and_the_command_baselines_share_entries() -> None:
    every = f"baselines=[{','.join(CHOICES)}]"
    run, command = (compose(name, [every]) for name in ("train", "baselines"))
    assert len(run["baselines"]) == len(CHOICES) > 5
    for key in ("baselines", "evaluation"):
        assert run[key] == command[key]
