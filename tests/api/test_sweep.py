"""`twotower.sweep`: the trials of the command line, as a table."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import twotower
from twotower.api.trials import varying
from twotower.cli import main
from twotower.core.errors import ConfigError, SweepError

DIMS = {"tower.emb_dim": [2, 4]}
DRAW = np.random.default_rng(1)
LOG = pl.DataFrame(
    {
        "user_id": np.repeat(np.arange(30), 8),
        "item_id": np.concatenate([DRAW.permutation(20)[:8] for _ in range(30)]),
        "timestamp": np.arange(240) + 1_700_000_000,
    }
)


def runs(output_dir: Path) -> int:
    """The number of tracked runs, the parents of sweeps included."""
    from twotower.tracking.store import open_store

    client = open_store(f"sqlite:///{output_dir}/mlflow.db")
    experiments = [each.experiment_id for each in client.search_experiments()]
    return len(client.search_runs(experiments))


def test_a_sweep_is_that_of_the_command_line_and_resumes_it(
    small: list[str], output_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["twotower"])
    main(["train", "-m", *small, "tower.emb_dim=2", "loss=bce,bpr"])
    made = runs(output_dir)
    params = {"loss": ["bce", "bpr"]}
    table = twotower.sweep(params, [*small, "tower.emb_dim=2"])
    assert isinstance(table, pd.DataFrame)
    assert set(table["loss"]) == {"bce", "bpr"}
    assert table["rank"].tolist() == [1, 2]
    assert table["val/ndcg_at_10"].is_monotonic_decreasing
    assert table["test/ndcg_at_10"].notna().tolist() == [True, False]  # the best one alone
    assert runs(output_dir) == made == 3
    extended = twotower.sweep({"loss": ["bce", "bpr", "hinge"]}, [*small, "tower.emb_dim=2"])
    assert runs(output_dir) == 4
    assert set(table["run_id"]) < set(extended["run_id"])


def frame_sweep(folder: Path, log: Any, params: dict[str, Any] = DIMS, *more: str) -> Any:
    recipe = ["preprocessing=none", "split=last_n", "split.n=1", "trainer.max_epochs=1"]
    quick = ["trainer.batch_size=64", "trainer.progress_bar=false", "tracking=none"]
    overrides = [*recipe, *quick, "negative_sampling.num_negatives=2", *more]
    return twotower.sweep(params, [*overrides, f"output_dir={folder}"], interactions=log)


def test_frames_of_the_same_content_resume(tmp_path: Path) -> None:
    first = frame_sweep(tmp_path, LOG)
    assert isinstance(first, pl.DataFrame)
    assert sorted(first["tower.emb_dim"]) == [2, 4]
    written = {path: path.stat().st_mtime_ns for path in tmp_path.glob("sweeps/*/*/outcome.json")}
    assert len(written) == 2
    again = frame_sweep(tmp_path, LOG.to_pandas(), {"tower.emb_dim": np.array([2, 4])})
    assert (
        pl.from_pandas(again)
        .select("rank", "val/ndcg_at_10")
        .equals(first.select("rank", "val/ndcg_at_10"))
    )
    assert written == {path: path.stat().st_mtime_ns for path in written}


def test_repeats_and_searches_work_in_a_thread(tmp_path: Path) -> None:
    found: list[Any] = []
    search = ["hydra/sweeper=optuna", "hydra.sweeper.search.n_trials=2"]
    params = {"optimizer.lr": "tag(log,interval(0.001,0.1))"}

    def work() -> None:
        found.append(frame_sweep(tmp_path, LOG, {}, "seeds=2"))
        found.append(frame_sweep(tmp_path, LOG, params, *search))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    seeds, searched = found
    assert seeds["seed"].to_list() == [0, 1]
    assert seeds["rank"].to_list() == [1, 1]
    assert searched["optimizer.lr"].is_between(0.001, 0.1).all()


def test_trials_that_fail_are_in_the_table_of_the_error(tmp_path: Path) -> None:
    with pytest.raises(SweepError, match="1 diverged of 2 trials; the others are done") as caught:
        frame_sweep(tmp_path, LOG, {"optimizer.lr": [0.01, 1e30]})
    assert sorted(caught.value.table["state"]) == ["diverged", "finished"]


@pytest.mark.parametrize(
    ("params", "overrides", "message"),
    [
        ({"tower.emb_dimm": [1]}, [], r"tower\.emb_dimm: no such key; did you mean"),
        ({"tower.emb_dim": [8, 0]}, [], r"tower\.emb_dim: got 0; "),
        ({"tower.emb_dim": 8}, [], r"^tower\.emb_dim: got 8; must be a list of one or more values"),
        ({"tower.emb_dim": []}, [], r"^tower\.emb_dim: got \[\]; must be a list of one or more"),
        (
            [16],
            [],
            r'^params: got \[16\]; must be a mapping, such as {"tower.emb_dim": \[16, 32\]}$',
        ),
        ({"dataset": ["synthetic"]}, [], r"got interactions= as well; must be one of the two"),
        (DIMS, ["hydra/launcher=joblib"], r"^hydra/launcher: got .*; must be basic, since"),
        (
            DIMS,
            ["hydra.sweeper.resume=maybe"],
            r"^hydra\.sweeper\.resume: got 'maybe'; must be one",
        ),
    ],
)
def test_a_wrong_call_stops_before_anything_is_run(
    params: Any, overrides: list[str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        frame_sweep(tmp_path, LOG, params, *overrides)
    assert not list(tmp_path.glob("sweeps/*/trial-*/*"))


def test_values_are_written_as_overrides() -> None:
    params = {"a": [1, 0.5, None, True, "x y", [64, 32]], "b": "interval(0,1)", "c": range(2)}
    assert varying(params) == [
        "a=choice(1,0.5,null,true,x y,[64,32])",
        "b=interval(0,1)",
        "c=choice(0,1)",
    ]
