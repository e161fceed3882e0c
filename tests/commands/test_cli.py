"""The command line as people use it: real processes, what they print and how they end."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import polars as pl
import pytest
from command_line import (  # type: ignore[import-not-found]
    TWOTOWER,
    call,
    refusal,
    runs,
    start,
    wait_for,
)

import twotower
from twotower.cli import main


def test_train_then_recommend(small: list[str], output_dir: Path, tmp_path: Path) -> None:
    output = call("train", *small, cwd=tmp_path)
    (run,) = runs(output_dir)
    for text in ("NDCG@10", "HitRate@10", "Coverage@10", "this run", "popularity", "±"):
        assert text in output.stdout
    assert f"{run.data.metrics['test/ndcg_at_10']:.4f}" in output.stdout
    assert f"twotower ui output_dir={output_dir}" in output.stdout
    assert f"http://127.0.0.1:5000/#/experiments/1/runs/{run.info.run_id}" in output.stdout
    assert output.stderr.startswith("data: ")

    where = [f"output_dir={output_dir}", f"run={run.info.run_id[:8]}", "users=[7,3]", "k=2"]
    output = call("recommend", *where, cwd=tmp_path)
    frame = pl.read_csv(output_dir / "recommendations.csv")
    assert frame["user_id"].to_list() == [7, 7, 3, 3]
    assert frame["rank"].to_list() == [1, 2, 1, 2]
    assert frame["title"][0] in output.stdout
    main(["recommend", *where, f"out={tmp_path}/lists.parquet"])
    assert pl.read_parquet(tmp_path / "lists.parquet")["item_id"].equals(frame["item_id"])

    told_of_users = refusal("recommend", *where, "users=[7,1000]")
    assert "users: 1 of 2 are not among the 60 users" in told_of_users
    assert "the first is '1000'" in told_of_users
    # Runs that are there are listed.
    assert run.info.run_id in refusal("recommend", f"output_dir={output_dir}", "run=nosuch")


def test_users_who_came_later_are_served_by_a_file(
    small: list[str], output_dir: Path, tmp_path: Path
) -> None:
    result = twotower.run([*small, "tower=history", "evaluation.test=never"])
    known = result.recommender.vocabulary.items[:3].to_list()
    log = tmp_path / "later.csv"
    log.write_text(
        "user_id,item_id,timestamp\n" + "".join(f"neo,{i},{900_000_000 + i}\n" for i in known)
    )
    file = output_dir / "recommendations.csv"
    where = [f"output_dir={output_dir}", f"new_users={log}", "k=4"]
    main(["recommend", *where])
    frame = pl.read_csv(file)
    assert frame["user_id"].to_list() == ["neo"] * 4
    assert not set(frame["item_id"]) & set(known)
    assert "new_users: got a file together with users" in refusal("recommend", *where, "users=[1]")
    log.write_text("user_id,thing\nneo,1\n")
    assert "item_id" in refusal("recommend", *where)


def test_a_wrong_value_in_a_sweep_stops_before_its_first_run(
    small: list[str], output_dir: Path
) -> None:
    output = refusal("train", "-m", *small, "seed=0,1,-2")
    assert "seed: got -2; input should be greater than or equal to 0" in output
    assert runs(output_dir) == []


def test_what_only_shows_is_of_one_run() -> None:
    assert "--multirun: got --cfg, which only shows something" in refusal(
        "train", "-m", "seed=0,1", "--cfg", "job"
    )


def test_several_values_in_one_run_are_refused() -> None:
    output = refusal("train", "tower.emb_dim=8,16")
    assert "tower.emb_dim: got several values" in output
    assert "-m for a sweep over them" in output


def test_a_mistake_ends_with_its_text_alone_and_writes_nothing(tmp_path: Path) -> None:
    output = call("train", "tower.emb_dimm=8", cwd=tmp_path, code=1)
    assert output.stderr == (
        "twotower: the config has 1 error; no data was read\n"
        "  tower.emb_dimm: no such key; did you mean 'emb_dim'? "
        "Valid: bias, emb_dim, init_std, prior, similarity\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_bad_data_ends_with_its_text_alone(small: list[str], tmp_path: Path) -> None:
    own = [o for o in small if not o.startswith("dataset")]
    output = call("train", *own, "dataset=file", "dataset.path=no.csv", cwd=tmp_path, code=1)
    assert "no.csv" in output.stderr
    assert "dataset.path" in output.stderr


@pytest.mark.slow
def test_two_processes_train_one_run(small: list[str], output_dir: Path, tmp_path: Path) -> None:
    output = call("train", *small, "trainer=ddp", "trainer.accelerator=cpu", cwd=tmp_path)
    (run,) = runs(output_dir)
    assert run.info.status == "FINISHED"
    assert output.stdout.count(" this run") == 1
    assert output.stderr.count("data: ") == 1


def interrupt(small: list[str], tmp_path: Path, number: signal.Signals) -> int:
    """Send `number` to a run in mid-training; its exit code."""
    endless = [*small, "trainer.max_epochs=100000", "trainer.patience=null"]

    def is_training() -> bool:
        found = runs(tmp_path / "outputs")
        return bool(found) and "train/loss" in found[0].data.metrics

    with start("train", *endless, cwd=tmp_path) as process:
        wait_for(is_training)
        process.send_signal(number)
        code: int = process.wait(30)
    return code


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_is_killed(
    small: list[str], output_dir: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    assert interrupt(small, tmp_path, number) == code
    (run,) = runs(output_dir)
    assert run.info.status == "KILLED"
    assert "val/ndcg_at_10" in run.data.metrics  # what was logged is not lost


def test_help_and_config_are_shown(tmp_path: Path) -> None:
    assert "twotower recommend" in call("--help", cwd=tmp_path).stdout
    output = call("train", "--help", cwd=tmp_path).stdout
    assert " * movielens_100k " in output
    assert "twotower train tower.emb_dim=32" in output
    assert 'eval "$(twotower -sc install=bash)"' in output
    assert "emb_dim: 8" in call("train", "tower.emb_dim=8", "--cfg", "job", cwd=tmp_path).stdout
    assert "seeds: 3" in call("train", "seeds=3", "--cfg", "job", cwd=tmp_path).stdout
    assert "users: null" in call("recommend", "--help", cwd=tmp_path).stdout
    assert "port: 5000" in call("ui", "--help", cwd=tmp_path).stdout
    assert list(tmp_path.iterdir()) == []


def test_tab_completes_choices_and_keys(tmp_path: Path) -> None:
    script = call("-sc", "install=bash", cwd=tmp_path).stdout
    assert "complete" in script

    def complete(line: str) -> str:
        environment = {**os.environ, "COMP_LINE": line, "COMP_POINT": str(len(line))}
        return subprocess.run(
            [*TWOTOWER, "-sc", "query=bash"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert complete("twotower tr").split() == ["train"]
    every = ["train", "doctor", "sweep", "compare", "baselines"]
    every += ["recommend", "similar", "export", "register", "promote"]
    every += ["ui", "sync"]
    assert complete("twotower ").split() == every
    assert "tower.emb_dim=" in complete("twotower train tower.em")
    assert "dataset=movielens_100k" in complete("twotower train dataset=movielens_1")
