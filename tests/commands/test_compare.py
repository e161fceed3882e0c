"""`twotower compare` on runs that were tracked before."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from twotower.comparison import Compared
from twotower.config import build, compose
from twotower.core.errors import ConfigError, DataError, RunNotFoundError, TwoTowerError
from twotower.tracking.mlflow_tracking import MlflowTracking

N_USERS = 30


@pytest.fixture
def tracking(output_dir: Path) -> MlflowTracking:
    store, artifacts, outbox = (output_dir / name for name in ("mlflow.db", "artifacts", "outbox"))
    return MlflowTracking(f"sqlite:///{store}", "twotower", str(artifacts), str(outbox))


def tracked(
    tracking: MlflowTracking,
    name: str,
    hits: Sequence[int],
    *,
    digest: str | None = "abc",
    parts: Sequence[str] = ("validation",),
    evaluation: str = '{"drop_seen": true}',
    monitor: str = "ndcg_at_10",
    **tags: str,
) -> str:
    """A run in which the users `hits` had their one relevant item in the first place."""
    time.sleep(0.002)  # MLflow orders by start in whole milliseconds
    known = tags if digest is None else {**tags, "split.digest": digest}
    known |= {"monitor": monitor, **{f"evaluation.{part}": evaluation for part in parts}}
    with tracking.run(name=name, config={}, tags=known) as run:
        run.log_metrics({"model/parameters": 100.0 * len(name), "val/coverage_at_10": len(hits)})
        for part in parts:
            found = pl.Series([float(user in hits) for user in range(N_USERS)])
            per_user = pl.DataFrame(
                {"user_id": range(N_USERS), "n_seen": range(N_USERS), "ndcg_at_10": found}
            ).with_columns(recall_at_5=1 - pl.col("ndcg_at_10"))
            relevant = per_user.select(
                "user_id",
                item_id=pl.col("user_id") % 3,
                popularity=pl.col("user_id") % 3,
                rank=pl.when(pl.col("ndcg_at_10") > 0).then(1),
            )
            run.log_frame(per_user, f"{part}/per_user.parquet")
            run.log_frame(relevant, f"{part}/relevant.parquet")
    assert run.id is not None
    return run.id


def compare(output_dir: Path, *overrides: str) -> Compared:
    fast = [f"output_dir={output_dir}", "comparison.resamples=300"]
    compared = build(compose("compare", [*fast, *overrides]))()
    assert isinstance(compared, Compared)
    return compared


def refusal(error: type[TwoTowerError], output_dir: Path, *overrides: str) -> str:
    with pytest.raises(error) as caught:
        compare(output_dir, *overrides)
    return str(caught.value)


def test_runs_by_id_and_by_name(
    tracking: MlflowTracking, output_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tracked(tracking, "bad", [0])
    tracked(tracking, "the best", range(25))
    compared = compare(output_dir, f"runs=[{bad},'the best']")
    assert compared.models["name"].to_list() == ["the best", "bad"]
    assert compared.models["mean"].to_list() == pytest.approx([25 / 30, 1 / 30])
    assert compared.models["parameters"].to_list() == [800, 300]
    assert compared.pairs["significant"].to_list() == [True]
    output = capsys.readouterr().out
    assert output.startswith("on the validation part:\nndcg_at_10, 30 users")
    assert "1 of 1 pairs differ significantly" in output
    assert "to report" not in output
    assert "written" not in output


def sweep_of(tracking: MlflowTracking, name: str = "sweep") -> str:
    """Two settings with two seeds each, and a trial that failed."""
    parent = tracked(tracking, name, (), parts=(), **{"sweep.id": name})
    for dim, seed, hits in ((8, 0, 20), (16, 0, 25), (8, 1, 22), (16, 1, 23)):
        tags = {"mlflow.parentRunId": parent, "trial.setting": f"emb_dim={dim}"}
        tracked(tracking, f"emb_dim={dim} seed={seed}", range(hits), **tags)
    return parent


def test_repeats_over_seeds_are_one_model(tracking: MlflowTracking, output_dir: Path) -> None:
    parent = sweep_of(tracking)
    tracked(tracking, "later", range(3))
    for sweep in (parent, parent[:12], "sweep", "latest"):
        compared = compare(output_dir, f"sweep={sweep}")
        assert compared.models["name"].to_list() == ["emb_dim=16", "emb_dim=8"]
        assert compared.models["n_seeds"].to_list() == [2, 2]
        assert compared.models["mean"].to_list() == pytest.approx([24 / 30, 21 / 30])


def test_a_trial_can_be_compared_with_other_runs(
    tracking: MlflowTracking, output_dir: Path
) -> None:
    sweep_of(tracking)
    tracked(tracking, "alone", range(3))
    compared = compare(output_dir, "runs=['emb_dim=8 seed=0','emb_dim=8 seed=1',alone]")
    assert compared.models.select("name", "n_seeds").rows() == [("emb_dim=8", 2), ("alone", 1)]


def test_equal_names_are_distinguished_and_settings_of_two_sweeps_kept_apart(
    tracking: MlflowTracking, output_dir: Path
) -> None:
    one, two = tracked(tracking, "same", range(9)), tracked(tracking, "same", range(3))
    compared = compare(output_dir, f"runs=[{one},{two}]")
    assert compared.models["name"].to_list() == [f"same ({one[:8]})", f"same ({two[:8]})"]

    trials = []
    for sweep, hits in (("1", 9), ("2", 3)):
        parent = tracked(tracking, f"sweep {sweep}", (), parts=(), **{"sweep.id": sweep})
        tags = {"mlflow.parentRunId": parent, "trial.setting": "emb_dim=8"}
        trials.append(tracked(tracking, "trial", range(hits), **tags))
    compared = compare(output_dir, f"runs=[{','.join(trials)}]")
    assert compared.models["n_seeds"].to_list() == [1, 1]


def test_the_test_part_is_to_report_only(
    tracking: MlflowTracking, output_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tracked(tracking, "x", range(9), parts=["validation", "test"])
    tracked(tracking, "y", range(3), parts=["test"])
    compare(output_dir, "runs=[x,y]", "part=test")
    assert "This is the test part, to report results." in capsys.readouterr().out
    output = refusal(RunNotFoundError, output_dir, "runs=[x,y]")
    assert output.startswith("part=validation: run 'y' was not evaluated on it. Run ")


def test_another_metric(tracking: MlflowTracking, output_dir: Path) -> None:
    tracked(tracking, "x", range(9))
    tracked(tracking, "y", range(3))
    compared = compare(output_dir, "runs=[x,y]", "metric=recall_at_5")
    assert compared.metric == "recall_at_5"
    assert compared.models["name"].to_list() == ["y", "x"]
    output = refusal(ConfigError, output_dir, "runs=[x,y]", "metric=coverage_at_10")
    assert "must be one of ndcg_at_10, recall_at_5" in output


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_tables_are_written(
    tracking: MlflowTracking,
    output_dir: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    ending: str,
) -> None:
    tracked(tracking, "x", range(9))
    tracked(tracking, "y", range(3))
    compared = compare(output_dir, "runs=[x,y]", f"file={tmp_path}/new/it.{ending}")
    read: Any = {"csv": pl.read_csv, "parquet": pl.read_parquet}[ending]
    output = capsys.readouterr().out
    for name in ("models", "pairs", "history", "popularity"):
        path = tmp_path / "new" / f"it-{name}.{ending}"
        assert read(path).shape == compared.tables[name].shape
        assert f"written to {path}" in output
    assert read(tmp_path / "new" / f"it-models.{ending}")["name"].to_list() == ["x", "y"]


def test_other_splits_are_refused(tracking: MlflowTracking, output_dir: Path) -> None:
    tracked(tracking, "x", range(9))
    tracked(tracking, "y", range(3), digest="def")
    output = refusal(DataError, output_dir, "runs=[x,y]")
    assert "split abc: x" in output
    assert "split def: y" in output
    tracked(tracking, "unknown", range(3), digest=None)
    assert "(unknown) has no tag split.digest" in refusal(DataError, output_dir, "runs=[x,unknown]")


def test_folds_of_a_setting_are_one_model(tracking: MlflowTracking, output_dir: Path) -> None:
    parent = tracked(tracking, "sweep", (), parts=(), **{"sweep.id": "s"})
    for dim, fold, hits in ((8, 0, 20), (8, 1, 10), (16, 0, 25), (16, 1, 21)):
        tags = {"mlflow.parentRunId": parent, "trial.setting": f"emb_dim={dim}"}
        name = f"emb_dim={dim} fold={fold}"
        tracked(tracking, name, range(hits), digest=f"fold {fold}", **tags)
    compared = compare(output_dir, "sweep=latest")
    assert (compared.n_users, compared.n_folds) == (60, 2)
    assert compared.models["name"].to_list() == ["emb_dim=16", "emb_dim=8"]
    # (25 + 21) / 60 and (20 + 10) / 60; the other metrics of runs are averaged too.
    assert compared.models["mean"].to_list() == pytest.approx([46 / 60, 0.5])
    assert compared.metrics.rows() == [
        ("emb_dim=16", "coverage_at_10", 23.0),
        ("emb_dim=8", "coverage_at_10", 15.0),
    ]


def test_other_evaluations_are_refused(tracking: MlflowTracking, output_dir: Path) -> None:
    tracked(tracking, "x", range(9))
    tracked(tracking, "y", range(3), evaluation='{"drop_seen": false}')
    output = refusal(DataError, output_dir, "runs=[x,y]")
    assert "evaluated differently" in output
    assert '{"drop_seen": false}: y' in output


def test_the_metric_is_the_one_that_the_runs_were_chosen_by(
    tracking: MlflowTracking, output_dir: Path
) -> None:
    tracked(tracking, "x", range(9), monitor="recall_at_5")
    tracked(tracking, "y", range(3), monitor="recall_at_5")
    tracked(tracking, "z", range(6))
    assert compare(output_dir, "runs=[x,y]").metric == "recall_at_5"
    assert compare(output_dir, "runs=[x,y]", "comparison.metric=ndcg_at_10").metric == "ndcg_at_10"
    output = refusal(ConfigError, output_dir, "runs=[x,y,z]")
    assert "recall_at_5: x, y; ndcg_at_10: z" in output


def test_what_to_compare_must_be_given_once(output_dir: Path) -> None:
    for overrides, got in (([], "neither"), (["runs=[x,y]", "sweep=latest"], "both")):
        output = refusal(ConfigError, output_dir, *overrides)
        assert output.startswith(
            f"runs, sweep: got {got}; must be one of them, such as sweep=latest"
        )


@pytest.mark.parametrize(
    ("overrides", "output"),
    [
        (["runs=[x]"], "runs: got ['x']"),
        (["runs=[x,y]", "part=train"], "part: got 'train'"),
        (["runs=[x,y]", "file=it.txt"], "file: got 'it.txt', must end in one of .csv, .parquet, "),
        (["runs=[x,y]", "comparison.alpha=2"], "comparison.alpha: got 2"),
        (["runs=[x,y]", "metric=ndcg"], "metric: got 'ndcg'"),
    ],
)
def test_wrong_values_are_refused_before_runs_are_looked_for(
    output_dir: Path, overrides: list[str], output: str
) -> None:
    assert output in refusal(ConfigError, output_dir, *overrides)


def test_one_run_under_two_names_is_refused(tracking: MlflowTracking, output_dir: Path) -> None:
    run_id = tracked(tracking, "x", range(9))
    output = refusal(ConfigError, output_dir, f"runs=[x,{run_id[:12]}]")
    assert output == f"runs: 'x' and '{run_id[:12]}' are one run, {run_id}"


def test_what_is_missing_is_reported(tracking: MlflowTracking, output_dir: Path) -> None:
    assert "No sweep yet" in refusal(RunNotFoundError, output_dir, "sweep=latest")
    parent = tracked(tracking, "sweep", (), parts=(), **{"sweep.id": "s"})
    output = refusal(RunNotFoundError, output_dir, "sweep=latest")
    assert output == f"Sweep {parent} (sweep) has no finished trial."
    assert "No run='y'" in refusal(RunNotFoundError, output_dir, "runs=[sweep,y]")
