"""Weights of interactions, from a column of a file to the metrics of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import twotower
from twotower.config import compose
from twotower.core.errors import ConfigError

DATA = ["dataset=file", "dataset.columns.timestamp=timestamp"]


def weighted(folder: Path, weight: pl.Expr, untracked: list[str], *more: str) -> Any:
    """The result of a run on a log with these weights."""
    log = pl.DataFrame({"n": range(900)}).select(
        user_id=pl.col("n") * 7 % 45,
        item_id=(pl.col("n") * pl.col("n") + pl.col("n") // 45) % 30,
        timestamp=pl.col("n") + 10**9,
    )
    log.with_columns(weight=weight).write_csv(folder / "log.csv")
    own = [each for each in untracked if not each.startswith("dataset")]
    path = f"dataset.path={folder}/log.csv"
    return twotower.run([*own, *DATA, path, "trainer.refit=true", *more])


def test_equal_weights_change_nothing_and_others_do(tmp_path: Path, untracked: list[str]) -> None:
    named = "dataset.columns.weight=weight"
    plain = weighted(tmp_path, pl.lit(2.0), untracked)
    equal = weighted(tmp_path, pl.lit(2.0), untracked, named)
    assert equal.metrics == plain.metrics
    rising = weighted(tmp_path, pl.col("timestamp") - 10**9 + 1.0, untracked, named)
    assert rising.history["train/loss"].tolist() != plain.history["train/loss"].tolist()
    # Only training is weighted.
    assert rising.judged.baselines["popularity"].values == (
        plain.judged.baselines["popularity"].values
    )


@pytest.mark.parametrize("loss", ["bsl", "direct_au"])
def test_a_loss_without_weights_is_refused_before_data_is_read(loss: str) -> None:
    overrides = [*DATA, "dataset.path=none.csv", "dataset.columns.weight=w", f"loss={loss}"]
    with pytest.raises(ConfigError, match=r"loss: \w+ cannot weight interactions, and dataset\.c"):
        compose("train", overrides)
