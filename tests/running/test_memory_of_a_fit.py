"""The memory of a fit, estimated before it is taken."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
import torch

import twotower
from twotower.config import build, compose
from twotower.core.errors import ResourceError
from twotower.running import memory, sizes
from twotower.running.memory import Needs, lowerable, needs_of, require_memory
from twotower.split.fold import make_fold
from twotower.training import Objective
from twotower.types import Fold

GIB = 2**30
NEEDS = Needs(tables=3 * GIB, best=GIB, data=GIB, batches=2 * GIB, ranking=GIB)
KEYS = {
    "tower.emb_dim": 64,
    "trainer.batch_size": 1000,
}


def needs(fold: Fold, *overrides: str, validates: bool = True) -> Needs:
    made = build(compose("train", ["tracking=none", *overrides]))
    objective = Objective(made.negative_sampling, made.loss, made.optimizer)
    parts = (made.tower, made.trainer, objective, made.evaluation)
    return needs_of(*parts, fold, validates=validates)


@pytest.fixture(scope="module")
def fold() -> Fold:
    """6,000 users and 9,000 items, 18,000 interactions."""
    rows = range(18_000)
    log = pl.DataFrame(
        {"user_id": [row % 6_000 for row in rows], "item_id": [row % 9_000 for row in rows]}
    )
    held = pl.DataFrame({"user_id": [0, 1], "item_id": [5, 6]})
    return make_fold(log, held, log, drop_cold_users=True, drop_cold_items=True)


def test_tables_by_hand(fold: Fold) -> None:
    weights = 15_000 * 8
    # Fused: weights, Adam's two moments, and 12 bytes for each row.
    fused = needs(fold, "tower.emb_dim=8")
    assert fused.tables == weights * 4 * (1 + 2) + 15_000 * 12
    assert fused.best == weights * 4
    assert needs(fold, "tower.emb_dim=8", validates=False) == replace(fused, best=0)
    assert needs(fold, "tower.emb_dim=8", "optimizer=sparse_adam") == fused
    # Autograd: gradients, too; SGD has a momentum.
    autograd = needs(fold, "tower.emb_dim=8", "trainer.kernel=autograd", "optimizer=sgd")
    assert autograd.tables == weights * 4 * (1 + 1 + 1)


def test_embeddings_that_are_no_weights_are_copied_for_ranking(fold: Fold) -> None:
    plain = needs(fold, "tower.emb_dim=8")
    cosine = needs(fold, "tower.emb_dim=8", "tower.similarity=cosine")
    assert cosine.ranking - plain.ranking == 15_000 * 8 * 4


def test_tables_of_features_are_extrapolated(fold: Fold) -> None:
    n = 9_000
    features = pl.DataFrame({"color": ["red", "green", "blue"] * (n // 3), "size": range(n)})
    timed = replace(fold.train, timestamps=torch.arange(18_000))
    described = replace(fold, item_features=features, train=timed)
    planned = build(compose("train", ["tracking=none", "tower=features", "tower.emb_dim=8"]))
    estimated = sizes.weights_of(planned.tower, described)[0]
    from twotower.model import TwoTower

    model = TwoTower.build(
        planned.tower, users=described.users, items=described.items, seed=0, train=fold.train
    )
    real = sum(each.numel() for each in (*model.parameters(), *model.buffers()))
    assert estimated == pytest.approx(real, rel=0.1)


def test_towers_built_for_their_size_alone_do_not_warn(
    fold: Fold, caplog: pytest.LogCaptureFixture
) -> None:
    planned = build(compose("train", ["tracking=none", "tower=features", "tower.emb_dim=8"]))
    assert sizes.weights_of(planned.tower, fold)[:2] == (15_000 * 8, 8)  # ids alone: no features
    assert not caplog.records


def test_own_negatives_and_batches_of_the_whole_log(fold: Fold) -> None:
    own = needs(fold, "negative_sampling.num_negatives=20", "trainer.kernel=autograd")
    twice = needs(fold, "negative_sampling.num_negatives=41", "trainer.kernel=autograd")
    assert twice.batches == 2 * own.batches  # of 1 + 20 and 1 + 41 items per row
    whole, more = (needs(fold, f"trainer.batch_size={rows}") for rows in (18_000, 1_000_000))
    assert whole == more  # there are 18,000 interactions


@pytest.mark.parametrize(
    ("choice", "pool"),
    [
        (["uniform"], (10, False)),
        (["shared", "negative_sampling.num_negatives=512"], (512, True)),
        (["in_batch"], (2048, True)),
        (["all"], (9_000, True)),
    ],
)
def test_negatives_of_a_row(choice: list[str], pool: tuple[int, bool]) -> None:
    name, *overrides = choice
    lines = [f"negative_sampling={name}", *overrides, "loss=sampled_softmax", "tracking=none"]
    sampler = build(compose("train", lines)).negative_sampling
    assert sizes.negatives_of(sampler, 2048, 9_000) == pool


def test_enough_memory_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "twotower.running"):
        require_memory(NEEDS, KEYS, 7.0)  # 4 + 1 + the larger of 2 and 1
    assert caplog.messages == [
        "memory: about 7.5 GB (tables 3.2 GB, best 1.1 GB, data 1.1 GB, batches 2.1 GB, "
        "ranking 1.1 GB)"
    ]


def test_what_would_fit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    # Of 6 GiB data takes 1, and tables of 4 with batches of 2 have to fit in 5: 5/6 of 64 is 53.
    # Half of a batch takes as much as ranking: below it nothing is won.
    with pytest.raises(ResourceError) as error:
        require_memory(NEEDS, KEYS, 6.0)
    assert str(error.value) == (
        "training needs about 7.5 GB more memory (tables 3.2 GB, best 1.1 GB, data 1.1 GB, "
        "batches 2.1 GB, ranking 1.1 GB), and memory_gib=6.0 allows 6.4 GB; use "
        "tower.emb_dim=53 or trainer.batch_size=500 (memory_gib=null tries anyway)"
    )
    monkeypatch.setattr(memory, "available_bytes", lambda: 2 * GIB)
    with pytest.raises(ResourceError, match="use a machine with more memory"):
        require_memory(NEEDS, KEYS, "auto")
    require_memory(NEEDS, KEYS, None)
    monkeypatch.setattr(memory, "available_bytes", lambda: None)
    require_memory(NEEDS, KEYS, "auto")


def test_on_a_gpu_its_memory_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda: (5 * GIB, 80 * GIB))
    monkeypatch.setattr(memory, "available_bytes", lambda: 0)
    with pytest.raises(ResourceError, match=r"about 6\.4 GB more memory of the GPU .*best 0 bytes"):
        require_memory(NEEDS, KEYS, "auto", "gpu")  # without the best epoch, 3 + 1 + 2 GiB
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda: (6 * GIB, 80 * GIB))
    require_memory(NEEDS, KEYS, "auto", "auto")


def test_a_run_is_refused_before_its_tables_are_made(
    untracked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unbuilt(*_: Any, **__: Any) -> Any:
        raise AssertionError("a model was built")

    monkeypatch.setattr("twotower.training.trainer.Trainer.fit", unbuilt)
    with pytest.raises(ResourceError, match=r"use tower\.emb_dim=\d+.*memory_gib=null"):
        # 100 users and items of a million numbers each: 400 MB and as much for each copy.
        twotower.run([*untracked, "tower.emb_dim=1000000", "memory_gib=1"])


def test_keys_that_can_be_lowered() -> None:
    made = build(compose("train", ["tracking=none", "negative_sampling=in_batch"]))
    objective = Objective(made.negative_sampling, made.loss, made.optimizer)
    found = lowerable(made.tower, made.trainer, objective)
    assert found == {"tower.emb_dim": 16, "trainer.batch_size": 2048}
