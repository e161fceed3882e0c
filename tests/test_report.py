"""The end of a run on the terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest

import twotower
from twotower.report import print_result
from twotower.result import Result


@pytest.fixture
def result(untracked: list[str]) -> Result:
    return twotower.run([*untracked, "evaluation.k=[5,10]"])


def test_the_table_stands_beside_the_baselines(
    result: Result, capsys: pytest.CaptureFixture[str]
) -> None:
    print_result(result, ["open     here"])
    lines = capsys.readouterr().out.splitlines()
    (header,) = [line for line in lines if "NDCG" in line and "Coverage" in line]
    assert header.split() == ["NDCG@5", "HitRate@5", "Coverage@5"]  # the first K
    (own,) = [line for line in lines if line.lstrip().startswith("this run")]
    (other,) = [line for line in lines if line.lstrip().startswith("popularity")]
    assert f"{result.metrics['test/ndcg_at_5']:.4f} ± " in own
    assert f"{result.metrics['test/coverage_at_5']:.4f}" in own
    assert f"{result.metrics['baseline/popularity/hitrate_at_5']:.4f} ± " in other
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


def test_an_untested_model_is_told_by_its_validation(
    untracked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    result = twotower.run([*untracked, "evaluation.test=never"])
    print_result(result, [])
    out = capsys.readouterr().out
    assert "validation, 58 users" in out  # two of the 60 are cold
    assert f"{result.metrics['val/ndcg_at_10']:.4f} ± " in out
    assert "refit" not in out
