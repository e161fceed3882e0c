"""Batch jobs: the lists of one call, in blocks, and resumed where they were interrupted."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from twotower.cli import main
from twotower.config import build
from twotower.model import TwoTower
from twotower.serving.batch import BatchJob
from twotower.serving.recommender import Recommender
from twotower.types import Histories, Side, Vocabulary

TOWER = {
    "_target_": "twotower.tower.embedding.EmbeddingTower",
    "_partial_": True,
    "emb_dim": 4,
    "init_std": 0.1,
    "similarity": "dot",
    "bias": False,
}
ARGUMENTS: dict[str, Any] = {"k": 3, "drop_seen": True, "items": None, "exclude": [2]}


@pytest.fixture
def job(tmp_path: Path) -> BatchJob:
    import torch

    users, items = Side("user", 10, 10, None), Side("item", 8, 8, None)
    recommender = Recommender(
        TwoTower.build(build(TOWER), users=users, items=items, seed=0),
        TOWER,
        Vocabulary(pl.Series("user_id", range(10)), pl.Series("item_id", range(8))),
        Histories.of(torch.arange(10), torch.arange(10) % 8, 10, timed=True),
        users,
        items,
    )
    return BatchJob(
        recommender=recommender,
        users=recommender.served_users,
        out=tmp_path / "lists.parquet",
        parts=tmp_path / "lists.parquet.parts",
        block=4,
        identity=["run 1"],
        arguments=ARGUMENTS,
    )


def test_blocks_together_are_the_lists_of_one_call(job: BatchJob, tmp_path: Path) -> None:
    expected = job.recommender.recommend(None, **ARGUMENTS)
    done: list[int] = []
    assert job.run(done.append, head=5).equals(expected.head(5))
    assert done == [4, 4, 2]
    assert pl.read_parquet(tmp_path / "lists.parquet").equals(expected)
    for name, read in (("lists.csv", pl.read_csv), ("lists.jsonl", pl.read_ndjson)):
        replace(job, out=tmp_path / name).run()
        lists = read(tmp_path / name)
        assert lists.drop("score").equals(expected.drop("score"))
        assert lists["score"].cast(pl.Float32).equals(expected["score"])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("lists.csv", "lists.jsonl", "lists.parquet")  # and no parts
    ]


class CutOffError(Exception):
    pass


def test_an_interrupted_job_resumes_and_a_different_one_starts_over(
    job: BatchJob, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    ranked: list[int] = []
    recommend = Recommender.recommend

    def counted(self: Recommender, users: Any, **arguments: Any) -> Any:
        ranked.append(len(users))
        return recommend(self, users, **arguments)

    monkeypatch.setattr(Recommender, "recommend", counted)

    def interrupt(n: int) -> None:
        raise CutOffError

    def interrupted(job: BatchJob) -> None:
        with pytest.raises(CutOffError):
            job.run(interrupt)

    interrupted(job)
    assert ranked == [4]
    assert not Path(job.out).exists()
    assert job.run().is_empty()
    assert ranked == [4, 4, 2]
    assert "resuming: 1 of 3 blocks are written already" in caplog.text
    for other in (
        replace(job, identity=["run 2"]),
        replace(job, arguments={**ARGUMENTS, "k": 2}),
        replace(job, users=job.users.reverse()),
    ):
        interrupted(job)
        ranked.clear()
        other.run()
        assert ranked == [4, 4, 2]


def test_ids_that_some_blocks_do_not_know_have_one_type(job: BatchJob) -> None:
    asked = pl.Series([str(user) for user in range(9)] + ["new"])
    replace(job, users=asked).run()
    lists = pl.read_parquet(Path(job.out))
    assert lists["user_id"].dtype == pl.String
    assert lists.filter(pl.col("user_id") == "new")["based_on"].unique().to_list() == ["popularity"]


def test_nobody_gets_an_empty_file(job: BatchJob) -> None:
    replace(job, users=pl.Series([], dtype=pl.String)).run()
    assert pl.read_parquet(Path(job.out)).height == 0


def test_the_command_takes_lists_of_items_and_serves_unknown_users(
    small: list[str], output_dir: Path, tmp_path: Path
) -> None:
    main(["train", *small, "trainer.max_epochs=1"])
    command = ["recommend", f"output_dir={output_dir}", f"out={tmp_path}/lists.parquet", "k=3"]
    main([*command, "users=all", "items=[3,7,9,11]", "exclude=[9]", "drop_seen=false"])
    lists = pl.read_parquet(tmp_path / "lists.parquet")
    assert lists["user_id"].n_unique() == 60
    assert set(lists["item_id"]) == {3, 7, 11}
    with pytest.raises(SystemExit, match="users: 1 of 2 are not among the 60 users"):
        main([*command, "users=[1,1000]"])
    main([*command, "users=[1,1000]", "unknown_users=popular"])
    bases = pl.read_parquet(tmp_path / "lists.parquet").select("user_id", "based_on").unique()
    assert set(bases.rows()) == {(1, "id"), (1000, "popularity")}


def test_the_command_ranks_new_items_by_their_features(
    small: list[str], output_dir: Path, tmp_path: Path
) -> None:
    main(["train", *small, "trainer.max_epochs=1", "tower=features"])
    (tmp_path / "new.csv").write_text("item_id,title\n900,Item 900\n3,Item 3\n")
    command = ["recommend", f"output_dir={output_dir}", f"out={tmp_path}/lists.csv", "k=50"]
    main([*command, f"items_path={tmp_path}/new.csv", "users=[1]", "drop_seen=false"])
    lists = pl.read_csv(tmp_path / "lists.csv")
    assert lists.filter(pl.col("item_id") == 900)["title"].to_list() == ["Item 900"]
    assert lists["item_id"].is_unique().all()
    out = f"out={tmp_path}/vectors"
    main(["export", f"output_dir={output_dir}", out, f"items_path={tmp_path}/new.csv"])
    vectors = pl.read_parquet(tmp_path / "vectors" / "items.parquet")
    assert vectors["item_id"].to_list()[-1] == 900
    assert vectors["item_id"].is_unique().all()
