"""The end of a run on the terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest

import twotower
from twotower.reporting.run import print_result
from twotower.running.result import Result


@pytest.fixture
def result(untracked: list[str]) -> Result:
    return twotower.run([*untracked, "evaluation.k=[5,10]"])


def test_the_table_shows_the_baselines(result: Result, capsys: pytest.CaptureFixture[str]) -> None:
    print_result(result, ["open     here"])
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split() == ["this", "run", "popularity"] for line in lines)
    # Three metrics of all nine, at both K: a line each.
    for title, name in (("NDCG", "ndcg"), ("HitRate", "hitrate"), ("Coverage", "coverage")):
        for k in (5, 10):
            (line,) = [line for line in lines if line.lstrip().startswith(f"{title}@{k} ")]
            own, other = (
                result.metrics[f"{part}/{name}_at_{k}"] for part in ("test", "baseline/popularity")
            )
            assert line.index(f"{own:.4f}") < line.rindex(f"{other:.4f}")
    assert result.selected is not None
    chosen = f"epoch {result.selected.best_epoch} of 3 chosen by val/ndcg_at_5, refit on train"
    assert any(chosen in line for line in lines)
    assert lines[-1] == "open     here"


def test_a_baseline_that_is_not_beaten_is_a_warning(
    result: Result, capsys: pytest.CaptureFixture[str]
) -> None:
    assert result.test is not None
    twin = replace(result.test, baselines={"twin": result.test.measured})
    drawn = replace(result, test=twin, notes=["every user gets the same list"])
    assert drawn.below == ["twin"]
    print_result(drawn, [])
    out = capsys.readouterr().out
    assert (
        "WARNING: by NDCG@5 on test this model is not better than twin; try other values of "
        "tower.emb_dim, negative_sampling, optimizer.lr or trainer.l2\n"
    ) in out
    assert "WARNING: every user gets the same list" in out
    print_result(replace(result, test=replace(result.test, baselines={}), notes=[]), [])
    assert "WARNING" not in capsys.readouterr().out


def test_without_the_usual_metrics_all_are_shown(
    untracked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    few = ["evaluation.metrics=[map,mrr]", "evaluation.monitor=mrr"]
    print_result(twotower.run([*untracked, *few]), [])
    out = capsys.readouterr().out
    assert "MAP@10" in out
    assert "MRR@10" in out


def test_every_metric_and_k_that_is_asked_for_is_shown(
    untracked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["evaluation.k=[5,10]", "evaluation.metrics=[recall,ndcg]", "evaluation.monitor=ndcg"]
    print_result(twotower.run([*untracked, *asked]), [])
    lines = capsys.readouterr().out.splitlines()
    (header,) = [line for line in lines if "NDCG@10" in line]
    assert header.split() == ["NDCG@5", "Recall@5", "Recall@10", "NDCG@10"]  # the monitor first


def test_an_untested_model_is_reported_by_its_validation(
    untracked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    result = twotower.run([*untracked, "evaluation.test=never"])
    print_result(result, [])
    out = capsys.readouterr().out
    assert "validation, 58 users" in out  # two of the 60 are cold
    assert f"{result.metrics['val/ndcg_at_10']:.4f} ± " in out
    assert "refit" not in out
