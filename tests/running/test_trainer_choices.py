"""A whole run with each choice of callbacks, loggers, profilers and debug modes."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import torch
from mlflow import MlflowClient

import twotower
from twotower.config import CONF_DIR
from twotower.running.result import Result

GROUPS = ("trainer/callbacks", "trainer/logger", "trainer/profiler", "debug")
CHOICES = [
    f"{group}={path.stem}" for group in GROUPS for path in sorted((CONF_DIR / group).glob("*.yaml"))
]
TESTED_BELOW = ("debug=fast_dev_run", "debug=overfit")
FILES = {
    "trainer/logger=csv": {"csv/metrics.csv"},
    "trainer/logger=tensorboard": {"tensorboard/events.out.tfevents.*"},
    "trainer/profiler=simple": {"profiler/fit-profile.txt"},
    "trainer/profiler=pytorch": {"profiler/fit-profile.txt", "profiler/*.pt.trace.json*"},
    "debug=profile": {"profiler/fit-profile.txt"},
}


def item_table(result: Result) -> torch.Tensor:
    table: torch.Tensor = result.recommender.model.item_tower.table()  # type: ignore[operator]
    return table


@pytest.fixture(scope="module")
def plain(untracked_anywhere: list[str], tmp_path_factory: pytest.TempPathFactory) -> Result:
    return twotower.run([*untracked_anywhere, f"output_dir={tmp_path_factory.mktemp('plain')}"])


@pytest.mark.parametrize("choice", [each for each in CHOICES if each not in TESTED_BELOW])
def test_a_run_with_this_choice(
    choice: str, untracked: list[str], tmp_path: Path, plain: Result
) -> None:
    if choice.endswith("tensorboard"):
        pytest.importorskip("tensorboard")
    result = twotower.run([*untracked, choice])
    for pattern in FILES.get(choice, set()):
        assert list(tmp_path.glob(f"runs/*/*/selection/{pattern}")), pattern
    if choice not in FILES:
        assert not [path for path in tmp_path.glob("runs/**/*") if path.is_file()]
    if not choice.endswith(("ema", "debug=profile")):
        assert torch.equal(item_table(result), item_table(plain))


def without(overrides: list[str], *keys: str) -> list[str]:
    """What a debug mode sets, an override would set again."""
    return [each for each in overrides if not each.startswith(keys)]


def test_a_fast_dev_run_is_one_batch_of_each_fit_and_is_not_tracked(untracked: list[str]) -> None:
    small = without(untracked, "trainer.max_epochs", "tracking")
    result = twotower.run([*small, "debug=fast_dev_run"])
    assert result.run_id is None
    assert result.history["epoch"].to_list() == [1]
    assert all(fit.cost.positives == 256 for fit in result.fits)
    assert "test/ndcg_at_10" in result.metrics


def test_overfitting_brings_the_loss_down_on_two_batches(untracked: list[str]) -> None:
    small = without(untracked, "trainer.max_epochs", "tracking")
    result = twotower.run([*small, "debug=overfit", "optimizer.lr=0.05", "tower.emb_dim=16"])
    losses = result.history["train/loss"]
    assert len(losses) == 100
    assert losses.iloc[-1] < 0.2 * losses.iloc[0]
    assert result.fits[0].cost.positives == 100 * 2 * 256


def test_callbacks_and_loggers_are_combined_in_lists(untracked: list[str], tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    result = twotower.run(
        [*untracked, "trainer/callbacks=[ema,timer]", "trainer/logger=[csv,tensorboard]"]
    )
    (folder,) = tmp_path.glob("runs/*/*/selection")
    assert {path.name for path in folder.iterdir()} >= {"csv", "tensorboard"}
    logged = pl.read_csv(folder / "csv" / "metrics.csv")
    assert logged["val/ndcg_at_10"].to_list() == pytest.approx(
        result.history["val/ndcg_at_10"].to_list()
    )


def test_profiles_checkpoints_and_costs_are_in_mlflow(small: list[str], output_dir: Path) -> None:
    result = twotower.run([*small, "trainer/profiler=simple", "trainer.keep_checkpoint=both"])
    assert result.run_id is not None
    client = MlflowClient(f"sqlite:///{output_dir}/mlflow.db")
    kept = {file.path for file in client.list_artifacts(result.run_id, "checkpoints")}
    assert kept == {"checkpoints/best.ckpt", "checkpoints/last.ckpt"}
    for fit in ("selection", "refit"):
        profiles = client.list_artifacts(result.run_id, f"profiler/{fit}")
        assert [Path(file.path).name for file in profiles] == ["fit-profile.txt"]
    metrics, cost = client.get_run(result.run_id).data.metrics, result.fits[0].cost
    assert metrics["train/seconds"] == pytest.approx(cost.seconds)
    assert metrics["train/positives_per_second"] == pytest.approx(cost.positives_per_second)
    assert metrics["validation/seconds"] == pytest.approx(cost.validation_seconds)
    assert metrics["validation/share"] == pytest.approx(cost.validation_share)
    assert 0.1 < metrics["memory/peak_gib"] < 100
