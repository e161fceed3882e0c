"""What a streamed log is crossed with works as it does in memory, or is refused."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

import twotower
from twotower.config import build, compose
from twotower.core.errors import ConfigError
from twotower.dataset import file as log_file
from twotower.types import StreamedFrames

BASE = [
    *("dataset=file", "preprocessing=none", "split=last_n", "tracking=none", "tower.emb_dim=4"),
    *("trainer.max_epochs=2", "trainer.batch_size=256", "trainer.progress_bar=false"),
    *("evaluation.k=5", "dataset.columns.rating=rating"),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The overrides of a log with features of users and items."""
    sizes = ["dataset.n_users=60", "dataset.n_items=40", "dataset.n_interactions=900"]
    made = build(compose("train", ["dataset=synthetic", *sizes])).dataset.load()
    folder = tmp_path_factory.mktemp("log")
    overrides = []
    for name, frame in (("", made.log), ("users_", made.users), ("items_", made.items)):
        frame.write_parquet(folder / f"{name}log.parquet")
        overrides.append(f"dataset.{name}path={folder / f'{name}log.parquet'}")
    return overrides


CROSSED = {
    "a history tower, groups, popular negatives, a prior and all baselines": [
        *("tower=history", "negative_sampling=popularity", "tower/prior=popularity"),
        *("evaluation.by=segment", "baselines=[popularity,recent_popularity,item_knn,ease]"),
    ],
    "a feature tower, hard negatives and a recent prior": [
        *("tower=features", "negative_sampling=hard", "tower/prior=recent_popularity"),
        "baselines=null",
    ],
    "negatives of the batch, with corrections for popularity": [
        *("negative_sampling=in_batch", "loss=sampled_softmax", "baselines=null"),
    ],
}


@pytest.mark.parametrize("choices", CROSSED.values(), ids=CROSSED)
def test_a_streamed_run_is_judged_like_one_in_memory(
    files: list[str], tmp_path: Path, choices: list[str]
) -> None:
    found: dict[bool, dict[str, Any]] = {}
    for streaming in (False, True):
        more = [f"dataset.streaming={str(streaming).lower()}", f"output_dir={tmp_path}"]
        found[streaming] = twotower.run([*BASE, *files, *choices, *more]).metrics
    assert found[True].keys() == found[False].keys()
    assert all(0 <= value < 100 for value in found[True].values())
    same = [name for name in found[True] if "baseline" in name]  # they draw nothing
    assert {name: found[True][name] for name in same} == {n: found[False][n] for n in same}
    assert bool(same) == ("baselines=null" not in choices)


def test_a_sweep_streams_its_log_once(files: list[str], tmp_path: Path) -> None:
    overrides = [*BASE, *files, "baselines=null", "dataset.streaming=true"]
    table = twotower.sweep(
        {"split.n": [1, 2], "tower.emb_dim": [2, 4]}, [*overrides, f"output_dir={tmp_path}"]
    )
    assert len(table) == 4
    assert len(list((tmp_path / "cache" / "splits").glob("*-streamed"))) == 2


def test_a_run_that_continues_equals_one_longer_run(files: list[str], tmp_path: Path) -> None:
    streamed = [*BASE, *files, "baselines=null", "dataset.streaming=true"]
    streamed += [f"output_dir={tmp_path}", "trainer.keep_checkpoint=last", "trainer.patience=null"]
    twotower.run([*streamed, "trainer.max_epochs=1"])
    (kept,) = tmp_path.glob("runs/*/*/selection/checkpoints/last.ckpt")
    more = twotower.run([*streamed, f"trainer.ckpt_path={kept}"])
    assert more.history.equals(twotower.run(streamed).history)


def test_folds_need_the_whole_log(files: list[str], tmp_path: Path) -> None:
    streamed = [*BASE, *files, "dataset.streaming=true", f"output_dir={tmp_path}"]
    with pytest.raises(ConfigError, match=r"split: got 'k_folds'.* must be one of last_n, ratio"):
        build(compose("train", [*streamed, "split=k_folds"]))


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("split.n=1", None),
        ("split=random", "read into memory, not streamed: split: got 'random', which needs the"),
        ("trainer.half_life=3", "read into memory, not streamed: trainer.half_life: got 3"),
    ],
)
def test_auto_streams_large_logs_that_can_be_streamed(
    files: list[str],
    tmp_path: Path,
    choice: str,
    message: str | None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    overrides = [*BASE, *files, "dataset.streaming=auto", f"output_dir={tmp_path}", choice]
    small = build(compose("train", overrides)).load()[1]
    assert not isinstance(small, StreamedFrames)
    assert "rows are read into memory; from 50,000,000 on they would be streamed" in caplog.text
    monkeypatch.setattr(log_file, "AUTO_ROWS", 900)
    caplog.clear()
    large = build(compose("train", overrides)).load()[1]
    assert isinstance(large, StreamedFrames) == (message is None)
    assert (message or "900 interactions, streamed") in caplog.text
