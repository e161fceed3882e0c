"""The report of a sweep: its files, its warnings, and what its tracked run holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure
from sweep_examples import MONITOR, grid, trial_result  # type: ignore[import-not-found]

from twotower.comparison import Comparison
from twotower.evaluation import Evaluation
from twotower.reporting.sweep.report import SweepReport
from twotower.reporting.sweep.story import report_sweep
from twotower.sweeping.search.grid import GridSearch
from twotower.sweeping.sweep_result import SweepResult
from twotower.sweeping.sweep_settings import SweepSettings
from twotower.sweeping.sweep_spec import SweepSpec
from twotower.sweeping.sweep_table import SweepTable
from twotower.sweeping.trial_result import TrialResult
from twotower.sweeping.trial_spec import Trial, TrialSpec
from twotower.tracking.none import NoRun, NoTracking

COMPARISON = Comparison(None, 0.02, 200, 0.05, 0.95, 0, 2, 2)
DIGEST = "abcdef0123456789"
N_USERS = 40


@dataclass
class Noted(NoRun):
    """What a tracked run would hold."""

    metrics: dict[str, float] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    description: str = ""

    def log_metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        self.metrics |= values

    def log_file(self, path: Path, folder: str | None = None) -> None:
        self.files.append(path.name)

    def log_figure(self, figure: Figure, file: str) -> None:
        self.files.append(file)

    def log_frame(self, frame: pl.DataFrame, file: str) -> None:
        self.files.append(file)

    def set_description(self, markdown: str) -> None:
        self.description = markdown


def judged(trial: TrialResult, shift: float = 0.0) -> TrialResult:
    """With values of `N_USERS` users around the trial's own, so that settings can be compared."""
    users = [f"user {n}" for n in range(N_USERS)]
    noise = np.linspace(-0.05, 0.05, N_USERS)
    values = np.clip(trial.metrics[MONITOR] + shift + noise, 0, 1)
    seen = [n % 7 + 1 for n in range(N_USERS)]
    per_user = pl.DataFrame({"user_id": users, "n_seen": seen, "ndcg_at_10": values})
    relevant = pl.DataFrame(
        {
            "user_id": users,
            "item_id": list(range(N_USERS)),
            "popularity": seen,
            "rank": [1 if n % 3 else None for n in range(N_USERS)],
        }
    )
    return replace(trial, per_user=per_user, relevant=relevant)


def with_test(trial: TrialResult, ndcg: float, popularity: float) -> TrialResult:
    scores = {
        "test/ndcg_at_10": ndcg,
        "test/hitrate_at_10": 0.5,
        "test/ndcg_at_5": 0.9,
        "baseline/popularity/ndcg_at_10": popularity,
        "val_baseline/popularity/ndcg_at_10": 0.9,
    }
    ends = trial.intervals | {"test/ndcg_at_10": (ndcg - 0.03, ndcg + 0.05)}
    return replace(trial, metrics=trial.metrics | scores, intervals=ends)


def planned(trial: TrialResult, digest: str = DIGEST) -> Trial:
    spec = TrialSpec(
        hash=trial.hash,
        name=trial.name,
        setting=trial.name,
        overrides=trial.overrides,
        varied=trial.varied,
        seed=trial.seed,
        repeat=trial.repeat,
        baselines=trial.baselines,
        place="1/1",
        parent_id=None,
        tests=False,
        study=None,
    )
    return Trial(spec, trial.overrides, Path("trial"), digest)


def settings(test: Any) -> SweepSettings:
    return SweepSettings(
        seeds=1,
        folds=None,
        run_name=None,
        evaluation=Evaluation(
            k=10,
            metrics=["ndcg"],
            monitor="ndcg",
            test=test,
            validation_users="all",
            drop_seen=True,
            block_scores=1000,
            confidence=0.95,
            by=None,
        ),
        comparison=COMPARISON,
        tracking=NoTracking(),
    )


def reported(
    results: Sequence[TrialResult],
    folder: Path,
    *,
    test: str = "best",
    digests: Sequence[str] = (),
    figures: bool = False,
    **changes: Any,
) -> SweepReport:
    """Report `results`. Figures are slow to draw and off by default."""
    splits = digests or [DIGEST] * len(results)
    with (
        pytest.MonkeyPatch.context() as patch,
        NoTracking().run(name="sweep", config=None, tags={}) as run,
    ):
        if not figures:
            patch.setattr("twotower.reporting.sweep.story.sweep_figures", lambda *_: {})
        spec = SweepSpec(
            folder=folder,
            command="twotower train -m tower.emb_dim=16,32",
            source=[],
            fixed=[],
            axes=[],
            search=GridSearch(),
            resume=True,
        )
        result = SweepResult(
            table=SweepTable(tuple(results), MONITOR),
            trials=[planned(t, digest) for t, digest in zip(results, splits, strict=True)],
            spec=spec,
            config={},
            settings=settings(test),
            run=run,
        )
        return report_sweep(replace(result, **changes))


def example() -> list[TrialResult]:
    """0.145 for 16, 0.155 for 32 (which is tested), 0.165 with 64 for one that failed."""
    small, chosen, lost = grid([16, 32, 64], [5]).results
    failed = replace(lost, state="failed", error="no memory", metrics={}, intervals={})
    return [judged(small), with_test(judged(chosen), 0.2, 0.1), failed]


def test_files_are_in_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = reported(example(), tmp_path, figures=True)
    assert {path.name for path in tmp_path.iterdir()} == {
        "report.html",
        "table.csv",
        "table.parquet",
    }
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    for text in ("emb_dim=32", "twotower train -m tower.emb_dim=16,32", "no memory"):
        assert text in page
    frame = pl.read_parquet(tmp_path / "table.parquet")
    assert frame["rank"].to_list() == [1, 2, 3]
    assert frame["tower.emb_dim"].to_list() == [32, 16, 64]
    assert frame["state"].to_list() == ["finished", "finished", "failed"]
    csv = pl.read_csv(tmp_path / "table.csv")
    assert csv.columns == frame.columns
    assert csv[MONITOR].to_list() == [pytest.approx(0.155), pytest.approx(0.145), None]
    assert list(report.links) == ["report"]
    assert report.links["report"].endswith(str(tmp_path / "report.html"))
    printed = capsys.readouterr().out
    assert f"report   {report.links['report']}" in printed
    assert report.best_command is not None
    assert f"best     {report.best_command}" in printed
    assert 'src="data:image/png;base64,' in page


def test_the_best_command_runs_the_best_setting_alone(tmp_path: Path) -> None:
    best = replace(
        trial_result({"tower.emb_dim": 32}, 0.3),
        overrides=("dataset.path='a b.csv'", "seed=7", "tower.emb_dim=32"),
    )
    report = reported([trial_result({"tower.emb_dim": 16}, 0.2), best], tmp_path)
    # A shell gives this to twotower as `dataset.path='a b.csv'`. With the seed that it had.
    assert report.best_command == (
        "twotower train 'dataset.path='\"'\"'a b.csv'\"'\"'' seed=7 tower.emb_dim=32"
    )


def test_seeds_give_mean_and_spread_and_a_command_without_seed(tmp_path: Path) -> None:
    def trials(dim: int, first: float, second: float) -> list[TrialResult]:
        return [
            replace(
                judged(trial_result({"tower.emb_dim": dim}, value, seed=seed)),
                overrides=(f"tower.emb_dim={dim}", f"seed={seed}"),
            )
            for seed, value in enumerate((first, second))
        ]

    best, other = trials(32, 0.2, 0.4), trials(16, 0.25, 0.27)
    best = [with_test(best[0], 0.1, 0.05), with_test(best[1], 0.3, 0.05)]
    run = Noted()
    report = reported([*other, *best], tmp_path, run=run)
    assert report.best_command == "twotower train tower.emb_dim=32"
    # Mean (0.1 + 0.3) / 2, spread sqrt(2 * 0.1 ** 2); HitRate is 0.5 both times.
    assert report.test_rows == [
        (
            "emb_dim=32",
            {
                "ndcg_at_10": "0.2000 ± 0.1414",
                "hitrate_at_10": "0.5000 ± 0.0000",
                "ndcg_at_5": "0.9000 ± 0.0000",
            },
        )
    ]
    assert run.metrics[f"best_{MONITOR}"] == pytest.approx(0.3)
    assert run.metrics["best_test/ndcg_at_10"] == pytest.approx(0.2)
    assert run.metrics["sweep/trials"] == run.metrics["sweep/finished"] == 4


def test_without_seeds_a_test_is_shown_with_half_of_its_interval(tmp_path: Path) -> None:
    report = reported(example(), tmp_path)
    # From 0.17 to 0.25, half of which is 0.04. The baselines are those of the test.
    assert report.test_rows == [
        (
            "emb_dim=32 num_negatives=5",
            {"ndcg_at_10": "0.2000 ± 0.0400", "hitrate_at_10": "0.5000", "ndcg_at_5": "0.9000"},
        )
    ]
    assert report.baseline_rows == [("popularity", {"ndcg_at_10": "0.1000"})]
    assert report.split == "40 users, split abcdef01"


def test_what_the_tracked_run_holds(tmp_path: Path) -> None:
    run = Noted()
    report = reported(example(), tmp_path, run=run, figures=True)
    assert run.metrics == pytest.approx(
        {
            "sweep/finished": 2,
            "sweep/failed": 1,
            "sweep/trials": 3,
            "best_val/ndcg_at_10": 0.155,
            "best_val/hitrate_at_10": 0.5,
            "best_val/coverage_at_10": 0.195,
            "best_test/ndcg_at_10": 0.2,
            "best_test/hitrate_at_10": 0.5,
            "best_test/ndcg_at_5": 0.9,
        }
    )
    assert {"report.html", "table.csv", "table.parquet"} < set(run.files)
    assert {f"comparison/{part}.parquet" for part in ("models", "pairs", "history")} < set(
        run.files
    )
    assert [file for file in run.files if file.startswith("plots/")]
    lines = run.description.splitlines()
    assert lines[0] == f"`{report.command}`"
    assert f"- best: `{report.best_command}`" in lines
    assert lines[-2:] == [
        "- test, emb_dim=32 num_negatives=5: NDCG@10 0.2000 ± 0.0400, HitRate@10 0.5000, "
        "NDCG@5 0.9000",
        "- test, popularity: NDCG@10 0.1000",
    ]


def test_settings_that_users_tell_apart_are_in_groups_of_their_own(tmp_path: Path) -> None:
    # 0.2 for every user below the other, which no chance of users brings about.
    apart = [judged(trial_result({"tower.emb_dim": d}, v)) for d, v in ((16, 0.3), (32, 0.5))]
    assert reported(apart, tmp_path).groups == {"emb_dim=32": 1, "emb_dim=16": 2}
    alike = [judged(trial_result({"tower.emb_dim": d}, 0.3, parameters=d)) for d in (16, 32)]
    report = reported(alike, tmp_path)
    assert report.groups == {"emb_dim=16": 1, "emb_dim=32": 1}
    assert set(report.breakdowns) == {
        "by length of the user's history",
        "by the item's popularity in train",
    }


def test_different_splits_are_not_compared(tmp_path: Path) -> None:
    run = Noted()
    report = reported(example()[:2], tmp_path, digests=["a" * 64, "b" * 64], run=run)
    assert report.groups is None
    assert report.split == "80 users, 2 splits"
    (warning,) = [text for text in report.warnings if "split" in text]
    assert "the easiest part): these models were trained and evaluated on different" in warning
    assert "easiest part" in run.description
    assert warning.partition(":")[0] in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not [file for file in run.files if file.startswith("comparison/")]


def test_users_that_cannot_be_paired_are_refused(tmp_path: Path) -> None:
    one, other = example()[:2]
    assert one.per_user is not None
    fewer = replace(one, per_user=one.per_user.head(10))
    report = reported([fewer, other], tmp_path)
    assert report.groups is None
    (warning,) = report.warnings
    assert "compared user by user (the best value" in warning
    assert "users differ" in warning


def test_a_test_of_every_trial_is_warned_of(tmp_path: Path) -> None:
    trials = [with_test(trial, 0.2, 0.1) for trial in example()[:2]]
    report = reported(trials, tmp_path, test="all")
    (warning,) = report.warnings
    assert warning.startswith("the test part was scored for every trial (evaluation.test=all)")
    # Both are shown, in the order of validation.
    assert [name for name, _ in report.test_rows] == [
        "emb_dim=32 num_negatives=5",
        "emb_dim=16 num_negatives=5",
    ]


def test_a_test_that_was_scored_for_another_best_before_is_warned_of(tmp_path: Path) -> None:
    trials = [with_test(trial, 0.2, 0.1) for trial in example()[:2]]
    report = reported(trials, tmp_path, test="best")
    assert report.warnings == [
        "the test part has been scored for 2 settings by now, each once, as the sweep grew: "
        "emb_dim=32 num_negatives=5; emb_dim=16 num_negatives=5"
    ]
    assert [name for name, _ in report.test_rows] == ["emb_dim=32 num_negatives=5"]


def test_a_chosen_model_below_popularity_is_warned_of(tmp_path: Path) -> None:
    text = "by NDCG@10 on validation it is not better than popularity"
    other, best, _ = example()
    report = reported(
        [replace(other, warnings=("of another",)), replace(best, warnings=(text,))], tmp_path
    )
    assert report.warnings == [f"emb_dim=32 num_negatives=5: {text}"]


def test_a_warning_of_all_seeds_is_reported_once(tmp_path: Path) -> None:
    trials = [
        replace(trial_result({"tower.emb_dim": 4}, 0.2, seed=seed), warnings=("low",))
        for seed in (0, 1)
    ]
    assert reported(trials, tmp_path).warnings == ["emb_dim=4: low"]


@pytest.mark.parametrize("state", ["failed", "diverged", "pruned"])
def test_a_sweep_without_a_finished_trial_is_reported(
    state: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Noted()
    trials = [
        trial_result({"tower.emb_dim": d}, 0.2, state=state, error="no memory") for d in (16, 32)
    ]
    report = reported(trials, tmp_path, run=run, figures=True)
    assert report.best_command is None
    assert (report.test_rows, report.baseline_rows, report.groups) == ([], [], None)
    assert run.metrics == {f"sweep/{state}": 2, "sweep/trials": 2}
    assert "best" not in run.description
    assert ("2 pruned" if state == "pruned" else "no memory") in capsys.readouterr().out
    assert pl.read_parquet(tmp_path / "table.parquet").height == 2


def test_one_setting_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    run = Noted()
    report = reported([example()[1]], tmp_path, run=run, figures=True)
    assert (report.groups, report.headline, report.warnings) == (None, [], [])
    assert report.best_command is not None


def test_a_sweep_that_never_tests_has_no_test_rows(tmp_path: Path) -> None:
    report = reported(example()[:1], tmp_path, test="never")
    assert (report.test_rows, report.baseline_rows) == ([], [])
