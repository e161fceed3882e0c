"""Names, ids, titles and paths are shown as they are, whatever brackets and codes they hold."""

from __future__ import annotations

import polars as pl
import pytest
from case_runner import Case
from mlflow import MlflowClient


@pytest.mark.parametrize("name", ["v2 [/draft]", "v2 [draft] x", "[red]a[/red] :smile:"])
def test_the_name_of_a_run_is_shown_as_it_is(case: Case, name: str) -> None:
    done = case.train("dataset.path=base.csv", f"run_name='{name}'")
    assert f"run      {name}  (" in done.text


def test_ids_and_titles_are_shown_as_they_are(case: Case) -> None:
    log = pl.read_csv(case.folder / "base.csv").with_columns(
        pl.format("[u]{}", "user_id").alias("user_id"),
        pl.format("[/b]{}", "item_id").alias("item_id"),
    )
    log.write_csv(case.folder / "log.csv")
    titles = log.select("item_id", pl.format("{} [x]", "item_id").alias("title")).unique("item_id")
    titles.write_csv(case.folder / "titles.csv")
    case.train("dataset.path=log.csv", "dataset.items_path=titles.csv", "run_name='[/n]'")
    user = log["user_id"][0]
    done = case.call("recommend", f"users=['{user}']", "output_dir=out", "out='out/[/f].csv'")
    for text in ("run [/n] (", user, "[/b]", "[x]", "written to out/[/f].csv"):
        assert text in done.text
    assert (case.folder / "out" / "[" / "f].csv").exists()  # a folder, as in the path


def test_a_sweep_shows_and_logs_its_values_as_they_are(case: Case) -> None:
    done = case.sweep(
        "dataset.path=base.csv", "tower.emb_dim=2,4", "run_name='a | b <script> [/x] $y$'"
    )
    assert "MarkupError" not in done.text
    assert "emb_dim" in done.text
    client = MlflowClient(f"sqlite:///{case.folder}/out/mlflow.db")
    runs = client.search_runs(
        [experiment.experiment_id for experiment in client.search_experiments()]
    )
    assert "a | b <script> [/x] $y$" in {run.info.run_name for run in runs}
