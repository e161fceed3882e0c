"""`twotower register` and `twotower promote`: aliases of MLflow's registry."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import twotower
from twotower.cli import main
from twotower.commands import best_of_sweep
from twotower.core.errors import RunNotFoundError
from twotower.tracking.load import FoundRun


def test_an_alias_moves_to_a_challenger_that_is_no_worse(
    small: list[str], output_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = [f"output_dir={output_dir}"]
    good = twotower.run([*small, "trainer.max_epochs=8", "optimizer.lr=0.03"], name="good")
    bad = twotower.run([*small, "trainer.max_epochs=1", "optimizer.lr=1e-9"], name="bad")
    named = [*where, "name=movies", "alias=champion"]
    main(["register", *named, "run=bad"])
    assert "is models:/movies@champion, version 1" in capsys.readouterr().out.replace("\n", " ")

    def champion() -> Any:
        return twotower.load("models:/movies@champion", where).recommend([3], k=5)

    assert champion().equals(bad.recommend([3], k=5))
    main(["promote", *named, f"run={good.run_id}"])
    assert champion().equals(good.recommend([3], k=5))
    assert "models:/movies@champion is now run good" in capsys.readouterr().out.replace("\n", " ")
    with pytest.raises(SystemExit, match="not promoted: bad is not shown to be no worse than good"):
        main(["promote", *named, "run=bad"])
    assert champion().equals(good.recommend([3], k=5))
    main(["promote", *named, "run=bad", "comparison.margin=0.999"])  # anything goes
    assert champion().equals(bad.recommend([3], k=5))
    for command, message in (
        (["promote", *named, "run=bad"], "is what models:/movies@champion points at already"),
        (["promote", *where, "name=films", "run=bad"], "No model 'models:/films@champion'"),
        (["register", *where, "name=movies", "alias=v2"], "alias: got 'v2'; must be letters"),
        (["register", *where, "run=bad"], "name"),
    ):
        with pytest.raises(SystemExit, match=message):
            main(command)


def trial(number: int, setting: str, value: float, model: str = "kept") -> FoundRun:
    tags = {"trial.setting": setting, "monitor": "ndcg_at_10", "model": model}
    metrics = {"val/ndcg_at_10": value, "test/ndcg_at_10": 1 - value}
    name, started = f"trial {number}", datetime(2026, 1, 1)
    return FoundRun(f"{number}", name, "1", "FINISHED", started, {}, metrics, tags)


def test_the_best_of_a_sweep_has_the_highest_mean_on_validation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trials = [trial(1, "a", 0.9), trial(2, "a", 0.1), trial(3, "b", 0.6), trial(4, "b", 0.7)]
    monkeypatch.setattr(best_of_sweep, "find_sweep", lambda *_: trial(0, "", 0))
    monkeypatch.setattr(best_of_sweep, "find_trials", lambda *_: trials)
    assert best_of_sweep.best_run("uri", "experiment", "latest") == "3"
    trials[2] = trial(3, "b", 0.6, "not kept")
    assert best_of_sweep.best_run("uri", "experiment", "latest") == "4"
    trials[3] = trial(4, "b", 0.7, "not kept, as save_models says")
    with pytest.raises(RunNotFoundError, match=r"trial 3, has no model: not kept"):
        best_of_sweep.best_run("uri", "experiment", "latest")
    trials.clear()
    with pytest.raises(RunNotFoundError, match="has no finished trial"):
        best_of_sweep.best_run("uri", "experiment", "latest")
