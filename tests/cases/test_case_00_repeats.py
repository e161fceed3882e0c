"""Folds and seeds repeat a setting: they are averaged and compared, never chosen among."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from case_runner import Case
from test_case_00_harness import write_log

from twotower.tracking.store import open_store

FAST = (
    "output_dir=out",
    "dataset=file",
    "dataset.path=log.csv",
    "dataset.timestamp_unit=order",
    "preprocessing=none",
    "trainer.max_epochs=1",
    "trainer.refit=false",
    "trainer.progress_bar=false",
    "comparison.resamples=100",
)
FOLDED = (*FAST, "split=k_folds", "tracking=none")
MONITOR = "val/ndcg_at_10"


def outcomes(case: Case) -> list[dict[str, Any]]:
    files = sorted((case.folder / "out" / "sweeps").glob("*/trial-*/outcome.json"))
    return [json.loads(path.read_text()) for path in files]


def lines_of(text: str, start: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith(start)]


@pytest.mark.parametrize("folds", [("folds=3",), ("-m", "split.n_folds=3", "split.fold=0,1,2")])
def test_folds_are_averaged(case: Case, folds: tuple[str, ...]) -> None:
    write_log(case.folder / "log.csv")
    text = case.call("train", *folds, "tower.emb_dim=4", *FOLDED).text
    done = outcomes(case)
    assert sorted(each["repeat"]["split.fold"] for each in done) == [0, 1, 2]
    assert all(each["varied"] == {} for each in done)
    assert "3 trials: 3 finished" in text
    assert "± standard deviation over folds" in text
    assert f"{fmean(each['metrics'][MONITOR] for each in done):.4f} ± " in text
    # 30 users of each of 3 folds; all folds are tested, and the test is their mean.
    assert "validation, 90 users, 3 splits" in text
    assert all("test/ndcg_at_10" in each["metrics"] for each in done)
    assert f"{fmean(each['metrics']['test/ndcg_at_10'] for each in done):.4f} ± " in text
    (best,) = lines_of(text, "best ")
    assert "split.fold=0,1,2" in shlex.split(best)


def test_settings_are_compared_over_all_users_of_all_folds_and_seeds(case: Case) -> None:
    write_log(case.folder / "log.csv")
    sweep = ("-m", "tower.emb_dim=2,4", *FOLDED, "folds=2", "seeds=2", "seed=5")
    text = case.call("train", *sweep).text
    done = outcomes(case)
    assert len(done) == 8
    assert {tuple(each["repeat"].items()) for each in done} == {
        (("split.fold", fold), ("seed", seed)) for fold in (0, 1) for seed in (5, 6)
    }
    assert "8 trials: 8 finished" in text
    assert "± standard deviation over folds and seeds" in text
    assert "validation, 60 users, 2 splits" in text
    means = {
        dim: fmean(o["metrics"][MONITOR] for o in done if o["varied"] == {"tower.emb_dim": dim})
        for dim in (2, 4)
    }
    best = max(means, key=lambda dim: means[dim])
    (command,) = lines_of(text, "best ")
    assert f"tower.emb_dim={best}" in command
    assert "seed=5" not in command
    tested = {o["varied"]["tower.emb_dim"] for o in done if "test/ndcg_at_10" in o["metrics"]}
    assert tested == {best}
    assert sum("test/ndcg_at_10" in o["metrics"] for o in done) == 4
    again = case.call("train", *sweep).text  # nothing is left to do
    assert "8 of 8 trials are done already" in again
    # Another baseline is measured with the weights that there are.
    other = case.call("train", *sweep, "baselines=[random]").text
    assert "trials are done already" not in other.partition("4 of 4")[0]
    rows = lines_of(other, "random ")
    assert len(rows) == 1
    assert not lines_of(other, "popularity ")
    assert {
        tuple(o["metrics"][MONITOR] for o in done if o["repeat"] == r["repeat"]) for r in done
    } == {
        tuple(o["metrics"][MONITOR] for o in outcomes(case) if o["repeat"] == r["repeat"])
        for r in done
    }


def test_a_search_sees_the_mean_of_its_folds(case: Case) -> None:
    write_log(case.folder / "log.csv")
    search = ("hydra/sweeper=random", "hydra.sweeper.search.n_trials=2")
    lr = "optimizer.lr=interval(0.001,0.1)"
    text = case.call("train", "-m", *FOLDED, *search, lr, "folds=2", "evaluation.test=never").text
    assert "4 trials: 4 finished" in text
    rates = [each["varied"]["optimizer.lr"] for each in outcomes(case)]
    assert len(set(rates)) == 2
    assert not any("test/" in name for each in outcomes(case) for name in each["metrics"])


def test_the_draw_of_a_split_is_a_repeat_too(case: Case) -> None:
    write_log(case.folder / "log.csv")
    draws = ("split=random", "split.seed=0,1", "tracking=none", "evaluation.test=all")
    text = case.call("train", "-m", *FAST, *draws).text
    assert "standard deviation over draws of the split" in text
    assert {each["repeat"]["split.seed"] for each in outcomes(case)} == {0, 1}


def test_a_single_fold_is_described(case: Case) -> None:
    write_log(case.folder / "log.csv")
    text = case.call("train", *FAST, "split=k_folds", "split.fold=1").text
    words = "split.fold=1, one of 5 folds; folds=5 trains all and averages them"
    assert lines_of(text, "fold ") == [f"fold     {words}"]
    store = open_store(f"sqlite:///{case.folder / 'out' / 'mlflow.db'}")
    experiment = store.get_experiment_by_name("twotower")
    assert experiment is not None
    (run,) = store.search_runs([experiment.experiment_id])
    assert words in run.data.tags["mlflow.note.content"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("folds=1",), "folds=1: must be one whole number, 2 or more, or null"),
        (("folds=2,3",), "folds=2,3: must be one whole number"),
        (("folds=two",), "folds=two: must be one whole number"),
        (("folds=3", "split.fold=1"), "split.fold=1 with folds=3: folds sets split.fold"),
        (("folds=3", "split.n_folds=4"), "split.n_folds=4 with folds=3"),
        (("folds=3", "split=last_n"), "split=last_n with folds=3: this split has no folds"),
        (("-m", "folds=3", "split=last_n,k_folds"), "split=last_n,k_folds with folds=3: this"),
        (("-m", "split=k_folds", "split.fold=int(interval(0,2))"), "split.fold: got an interval"),
        (("-m", "split=k_folds", "split.fold=0,7"), "split.fold: got 7, with n_folds"),
    ],
)
def test_what_is_no_cross_validation_is_refused(
    case: Case, overrides: tuple[str, ...], message: str
) -> None:
    write_log(case.folder / "log.csv")
    text = case.call("train", *overrides, *FAST, "tracking=none", code=1).text
    assert message in text
    assert not list(Path("out").glob("sweeps/*/trial-*"))
