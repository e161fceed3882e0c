"""The names of folds in the cache of baselines."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import twotower
from twotower.evaluation import Measured
from twotower.running.reference import References
from twotower.types import Fold


@pytest.mark.parametrize("refit", ["true", "false"])
def test_baselines_of_a_streamed_log_are_cached_apart_without_a_refit(
    refit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[str] = []

    def measure(_: References, fold: Fold, key: str) -> dict[str, Measured]:
        keys.append(key)
        return {}

    monkeypatch.setattr(References, "measure", measure)
    rows = range(600)
    log = {"user_id": [n // 6 for n in rows], "item_id": [n * 7 % 25 for n in rows]}
    times = pl.Series([1_700_000_000 + 3_600 * n for n in rows])
    pl.DataFrame(log).with_columns(timestamp=times).write_parquet(tmp_path / "log.parquet")
    twotower.run(
        [
            *("dataset=file", f"dataset.path={tmp_path}/log.parquet", "dataset.streaming=true"),
            *("preprocessing=none", "split=last_n", "tracking=none", "trainer.max_epochs=1"),
            *(f"trainer.refit={refit}", f"output_dir={tmp_path}/outputs"),
        ]
    )
    assert [key.partition("/")[2] for key in keys] == [
        "validation",
        "test" if refit == "true" else "test-of-train",
    ]
