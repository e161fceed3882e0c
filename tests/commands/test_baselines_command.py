"""`twotower baselines`: each baseline measured as a run measures it, and logged once."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from mlflow.entities import Run
from polars.testing import assert_frame_equal

import twotower
from twotower.config import build, compose
from twotower.core.errors import ConfigError, DataError, TwoTowerError
from twotower.running.reference import Reference
from twotower.tracking.load import download
from twotower.tracking.store import open_store
from twotower.types import Scorer, TrainInteractions

TWO = "baselines=[popularity,item_knn]"
OF_TRAINING = ("trainer", "tower", "negative_sampling")


@pytest.fixture
def data(small: list[str]) -> list[str]:
    """The overrides that a training on the same split has, too."""
    return [override for override in small if not override.startswith(OF_TRAINING)]


def measure(*overrides: str) -> dict[str, dict[str, Reference]]:
    measured: dict[str, dict[str, Reference]] = build(compose("baselines", overrides))()
    return measured


def all_runs(output_dir: Path) -> list[Run]:
    client = open_store(f"sqlite:///{output_dir}/mlflow.db")
    experiment = client.get_experiment_by_name("twotower")
    return list(client.search_runs([experiment.experiment_id])) if experiment else []


def runs(output_dir: Path) -> dict[str, Run]:
    """By name; no two have the same."""
    found = all_runs(output_dir)
    assert len({run.info.run_name for run in found}) == len(found)
    return {run.info.run_name: run for run in found}


def fetched(output_dir: Path, run: Run, path: str) -> Path:
    return download(f"sqlite:///{output_dir}/mlflow.db", run.info.run_id, path)


def per_user(output_dir: Path, run: Run, part: str) -> pl.DataFrame:
    uri = f"sqlite:///{output_dir}/mlflow.db"
    return pl.read_parquet(download(uri, run.info.run_id, f"{part}/per_user.parquet"))


def test_it_measures_the_baselines_that_a_run_shows(small: list[str], data: list[str]) -> None:
    measured = measure(*data, TWO)
    result = twotower.run([*small, TWO])
    for name, parts in measured.items():
        for metric, value in parts["test"].measured.values.items():
            assert result.metrics[f"baseline/{name}/{metric}"] == value
        for metric, value in parts["validation"].measured.values.items():
            assert result.metrics[f"val_baseline/{name}/{metric}"] == value
    assert list(measured) == ["popularity", "item_knn"]


def test_a_run_shows_the_baselines_of_its_config_whatever_is_cached(
    small: list[str], data: list[str]
) -> None:
    def shown(*overrides: str) -> tuple[list[str], dict[str, float]]:
        result = twotower.run([*small, "tracking=none", *overrides])
        assert result.validation is not None
        assert list(result.validation.baselines) == list(result.judged.baselines)
        own = {k: v for k, v in result.metrics.items() if "baseline/" not in k}
        return list(result.judged.baselines), own

    before = shown("baselines=[]")
    measure(*data, TWO)
    assert before[0] == []
    assert shown("baselines=[]") == shown("~baselines") == before
    assert shown("baselines=[item_knn]") == (["item_knn"], before[1])
    assert shown() == (["popularity"], before[1])


def test_a_run_is_compared_with_baselines_judged_alike_only(
    small: list[str], data: list[str], output_dir: Path
) -> None:
    measured = measure(*data, TWO)
    result = twotower.run([*small, "run_name=mine"])
    fast = [f"output_dir={output_dir}", "comparison.resamples=200"]
    for part in ("validation", "test"):
        wanted = [*fast, "runs=[mine,popularity,item_knn]", f"part={part}"]
        compared = build(compose("compare", wanted))()
        means = dict(compared.models.select("name", "mean").iter_rows())
        assert means.keys() == {"mine", "popularity", "item_knn"}
        prefix = {"validation": "val", "test": "test"}[part]
        assert means["mine"] == pytest.approx(result.metrics[f"{prefix}/ndcg_at_10"])
        for name in ("popularity", "item_knn"):
            values = measured[name][part].measured.values
            assert means[name] == pytest.approx(values["ndcg_at_10"])
    twotower.run([*small, "run_name=kept", "evaluation.drop_seen=false"])
    with pytest.raises(DataError) as caught:
        build(compose("compare", [*fast, "runs=[mine,kept]"]))()
    assert "evaluated differently" in str(caught.value)
    assert '"drop_seen": false' in str(caught.value)


def test_logs_each_baseline_as_a_run_of_its_own(data: list[str], output_dir: Path) -> None:
    measured = measure(*data, TWO)
    found = runs(output_dir)
    assert found.keys() == {"popularity", "item_knn"}
    for name, run in found.items():
        parts = measured[name]
        test = parts["test"].measured
        metrics, tags = run.data.metrics, run.data.tags
        assert metrics["test/ndcg_at_10"] == test.values["ndcg_at_10"]
        assert (
            metrics["val/coverage_at_10"] == parts["validation"].measured.values["coverage_at_10"]
        )
        output = json.loads(fetched(output_dir, run, "test/metrics.json").read_text())
        low, high = test.intervals["ndcg_at_10"]
        assert (output[name]["ndcg_at_10"]["low"], output[name]["ndcg_at_10"]["high"]) == (
            low,
            high,
        )
        assert metrics["train/seconds"] == sum(part.seconds for part in parts.values()) > 0
        assert tags["baseline"] == name
        assert len(tags["split.digest"]) > 20
        assert len(tags["data.digest"]) > 20
        assert run.info.status == "FINISHED"
        for part, reference in parts.items():
            assert_frame_equal(per_user(output_dir, run, part), reference.measured.per_user)
    params = found["item_knn"].data.params
    assert (params["baseline"], params["baseline.neighbours"]) == ("item_knn", "100")


def test_what_is_there_is_neither_fitted_nor_logged_again(
    data: list[str], output_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "twotower")
    measure(*data, "baselines=[popularity]")
    first = runs(output_dir)
    assert "baseline popularity: fitted and measured on validation" in caplog.text
    caplog.clear()
    measure(*data, TWO)
    assert "baseline popularity: fitted" not in caplog.text
    assert "baseline popularity: its run exists already" in caplog.text
    both = runs(output_dir)
    assert both.keys() == {"popularity", "item_knn"}
    assert both["popularity"].info.run_id == first["popularity"].info.run_id
    open_store(f"sqlite:///{output_dir}/mlflow.db").delete_run(first["popularity"].info.run_id)
    measure(*data, TWO)
    assert runs(output_dir)["popularity"].info.run_id != first["popularity"].info.run_id


def test_another_value_or_split_is_another_run(data: list[str], output_dir: Path) -> None:
    knn = [*data, "baselines=[item_knn]"]
    for more in ([], ["baselines.item_knn.neighbours=5"], ["split.n=3"], ["evaluation.k=5"]):
        measure(*knn, *more)
    found = all_runs(output_dir)
    assert len(found) == len({run.data.tags["baseline.digest"] for run in found}) == 4


def test_prints_both_parts_with_the_best_on_validation_first(
    data: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    measured = measure(*data, "tracking=none", "baselines=[random,popularity,recent_popularity]")
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split()[0] for line in lines if "±" in line]
    by_validation = sorted(
        measured,
        key=lambda name: -measured[name]["validation"].measured.values["ndcg_at_10"],
    )
    assert rows == by_validation * 2
    assert rows[-1] == "random"
    titles = [line.strip() for line in lines if "users" in line]
    assert [title.partition(",")[0] for title in titles] == ["validation", "test"]
    value = measured["popularity"]["test"].measured.text("hitrate_at_10")
    assert any(value in line for line in lines)
    assert lines[-1] == "ordered by NDCG@10 on validation"
    assert max(map(len, lines)) <= 80  # no name is cut


def test_a_failing_one_is_reported_at_the_end(
    data: list[str],
    output_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def out_of_memory(_: Any, train: TrainInteractions) -> Scorer:
        raise MemoryError("Unable to allocate 3 TiB")

    monkeypatch.setattr("twotower.baselines.ease.Ease.fit", out_of_memory)
    monkeypatch.setitem(sys.modules, "implicit.cpu.als", None)
    with pytest.raises(TwoTowerError) as error:
        measure(*data, "baselines=[ease,als,popularity]")
    first, ease, als = str(error.value).splitlines()
    assert first == "2 of 3 baselines could not be measured"
    assert ease == "  ease: MemoryError: Unable to allocate 3 TiB"
    assert als.startswith("  als: baselines.als needs the `implicit` library")
    assert runs(output_dir).keys() == {"popularity"}
    assert "popularity" in capsys.readouterr().out


def test_a_mistake_in_a_baseline_is_not_hidden(
    data: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(_: Any, train: TrainInteractions) -> Scorer:
        raise KeyError("typo")

    monkeypatch.setattr("twotower.baselines.popularity.Popularity.fit", mistaken)
    with pytest.raises(KeyError):
        measure(*data, "baselines=[popularity]")


def test_without_timestamps_all_but_the_recent_are_measured(
    data: list[str], tmp_path: Path, output_dir: Path
) -> None:
    path = tmp_path / "log.csv"
    pairs = [(user, (user + step) % 9) for user in range(12) for step in range(5)]
    pl.DataFrame(pairs, schema=["user", "item"], orient="row").write_csv(path)
    own = ["dataset=file", f"dataset.path={path}", "dataset.columns.user=user"]
    own += ["dataset.columns.item=item", "dataset.columns.timestamp=null"]
    own += ["dataset.columns.rating=null", "preprocessing=none", "split=random"]
    where = [f"output_dir={output_dir}", "baselines=[recent_popularity,popularity]"]
    with pytest.raises(TwoTowerError, match=r"recent_popularity needs the time.*`popularity`"):
        measure(*own, *where)
    assert runs(output_dir).keys() == {"popularity"}


def test_parts_that_are_not_wanted_are_not_measured(
    data: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    fixed = [*data, "tracking=none", "baselines=[popularity]"]
    assert measure(*fixed, "evaluation.test=never")["popularity"].keys() == {"validation"}
    assert measure(*fixed, "split.validation=false")["popularity"].keys() == {"test"}
    assert "ordered by NDCG@10 on test" in capsys.readouterr().out
    with pytest.raises(ConfigError, match=r"evaluation\.test: got 'never'"):
        compose("baselines", [*fixed, "split.validation=false", "evaluation.test=never"])
    with pytest.raises(ConfigError, match=r"baselines: got none; must be a list"):
        compose("baselines", [*data, "baselines=[]"])


def test_progress_is_printed_on_stderr(
    data: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # pytest listens to everything; without that nobody would.
    before = list(logging.getLogger("twotower").handlers)
    monkeypatch.setattr(logging.Logger, "hasHandlers", lambda _: False)
    measure(*data, "tracking=none", "baselines=[popularity]")
    output = capsys.readouterr()
    assert "data: " in output.err
    assert "baseline popularity: fitted and measured on test" in output.err
    assert "fitted" not in output.out
    assert logging.getLogger("twotower").handlers == before


def test_the_default_list_is_measured_whole(data: list[str]) -> None:
    pytest.importorskip("implicit")
    names = ["popularity", "recent_popularity", "item_knn", "ease", "als", "bpr"]
    few = ["baselines.bpr.iterations=2", "baselines.bpr.factors=4", "tracking=none"]
    assert list(measure(*data, *few)) == names
