"""The Optuna search: its settings, its study in a folder, and when it stops a trial."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from optuna.pruners import MedianPruner
from optuna.samplers import RandomSampler, TPESampler
from optuna.trial import TrialState

from twotower.config import Axis, axes
from twotower.core.errors import ConfigError
from twotower.running.trial_context import Pruned
from twotower.sweeping.search import Setting
from twotower.sweeping.search.optuna import OptunaSearch

MONITOR = "val/ndcg_at_10"
TPE = partial(TPESampler, n_startup_trials=5, constant_liar=True, multivariate=True)
# The first two trials are safe, and the first epoch of each.
MEDIAN = partial(MedianPruner, n_startup_trials=2, n_warmup_steps=1)
SEARCH = OptunaSearch(n_trials=8, n_jobs=1, seed=0, sampler=TPE, pruner=MEDIAN)
OVER = (
    "tower.emb_dim=range(8,65,8)",
    "optimizer.lr=tag(log,interval(1e-4,1e-1))",
    "loss=bce,null",
    "n=int(interval(1,50))",
)


def varying(*overrides: str) -> list[Axis]:
    return axes(overrides)[1]


def run(
    search: OptunaSearch,
    folder: Path,
    value: Callable[[Setting], float | None] = lambda _: 0.1,
    over: Sequence[str] = OVER,
) -> list[Setting]:
    """All settings in the order that they were asked, each with its value."""
    asking = search.start(varying(*over), folder)
    tried: list[Setting] = []
    while batch := asking.ask():
        for setting in batch:
            asking.tell(setting, value(setting), pruned=False)
        tried += batch
    return tried


def keys(settings: Sequence[Setting]) -> list[tuple[str, ...]]:
    return [setting.overrides for setting in settings]


def states(folder: Path, over: Sequence[str] = OVER) -> list[tuple[str, float | None]]:
    trials = SEARCH.start(varying(*over), folder).study.trials
    return [(trial.state.name, trial.value) for trial in trials]


def watched(folder: Path, setting: Setting, values: Sequence[float]) -> int:
    """The epoch after which a trial with these values was stopped, or its last."""
    assert setting.study is not None
    watch = SEARCH.watch(folder, setting.study["number"], MONITOR)
    assert watch is not None
    for epoch, value in enumerate(values, start=1):
        try:
            watch(epoch, {MONITOR: value, "train/loss": 1.0})
        except Pruned:
            return epoch
    return len(values)


def test_settings_are_of_the_axes(tmp_path: Path) -> None:
    settings = run(replace(SEARCH, n_trials=30), tmp_path)
    assert len(settings) == 30
    for setting in settings:
        dim, lr, loss, n = setting.values.values()
        assert (type(dim), dim in range(8, 65, 8)) == (int, True)
        assert (type(lr), 1e-4 <= lr <= 1e-1) == (float, True)
        assert loss in ("bce", None)
        assert (type(n), 1 <= n <= 50) == (int, True)
        assert setting.overrides == (
            f"tower.emb_dim={dim}",
            f"optimizer.lr={lr}",
            f"loss={'null' if loss is None else loss}",
            f"n={n}",
        )
        assert float(f"{lr:.4g}") == lr  # the trial gets no more digits than its name shows
    assert [setting.study for setting in settings] == [{"number": n} for n in range(30)]


def test_a_log_interval_is_drawn_by_its_logarithm(tmp_path: Path) -> None:
    # A third of the draws is in each decade: 20 of 60, standard deviation sqrt(60 * 2/9) = 3.7.
    search = replace(SEARCH, n_trials=60, sampler=RandomSampler)
    settings = run(search, tmp_path, over=["lr=tag(log,interval(1e-4,1e-1))"])
    decades = [math.floor(math.log10(setting.values["lr"])) for setting in settings]
    assert all(abs(decades.count(n) - 20) < 4 * 3.7 for n in (-4, -3, -2))


@pytest.mark.parametrize(
    ("text", "as_numbers"),
    [
        ("range(8,65,8)", True),
        ("16,32,48", True),
        ("16,32", False),
        ("16,32,64", False),
        ("48,32,16", False),
        ("7,7,7", False),
        ("0.1,0.2,0.3", False),
        ("true,false,true", False),
        ("1,2,auto", False),
    ],
)
def test_whole_numbers_at_equal_distances_are_searched_as_numbers(
    text: str, as_numbers: bool, tmp_path: Path
) -> None:
    asking = SEARCH.start(varying(f"key={text}"), tmp_path)
    (setting,) = asking.ask()
    axis = asking.axes[0]
    distribution = asking.study.trials[0].distributions["key"]
    assert (type(distribution).__name__ == "IntDistribution") == as_numbers
    assert axis.values is not None
    assert setting.values["key"] in axis.values
    assert setting.overrides[0].partition("=")[2] in (axis.choices or ())


def test_a_choice_with_quotes_is_parsed_and_shown_as_typed(tmp_path: Path) -> None:
    for setting in run(SEARCH, tmp_path, over=["path='a b','c'"]):
        assert setting.overrides[0] == f"path='{setting.values['path']}'"


def test_nothing_to_search_is_an_error() -> None:
    with pytest.raises(ConfigError, match="hydra/sweeper=optuna: nothing varies"):
        SEARCH.total([])
    assert SEARCH.total(varying(*OVER)) == 8


def test_as_many_settings_at_once_as_there_are_jobs(tmp_path: Path) -> None:
    asking = replace(SEARCH, n_jobs=3).start(varying(*OVER), tmp_path)
    sizes = []
    while batch := asking.ask():
        sizes.append(len(batch))
        for setting in batch:
            asking.tell(setting, 0.1, pruned=False)
    assert sizes == [3, 3, 2]


def test_one_seed_gives_the_same_search(tmp_path: Path) -> None:
    def value(setting: Setting) -> float:
        return -abs(math.log10(setting.values["optimizer.lr"]) + 2)

    searches = [
        keys(run(replace(SEARCH, seed=seed), tmp_path / str(n), value))
        for n, seed in enumerate((0, 0, 1))
    ]
    assert searches[0] == searches[1]
    assert set(searches[0]).isdisjoint(searches[2])


def test_what_came_out_is_kept(tmp_path: Path) -> None:
    asking = SEARCH.start(varying(*OVER), tmp_path)
    output: list[tuple[float | None, bool]] = [
        (0.2, False),
        (None, False),
        (0.1, True),
        (None, True),
    ]
    for value, pruned in [*output, (math.nan, False)]:
        (setting,) = asking.ask()
        asking.tell(setting, value, pruned=pruned)
        asking.tell(setting, 0.9, pruned=False)  # what is settled stays
    asking.ask()
    assert [(trial.state, trial.value) for trial in asking.study.trials] == [
        (TrialState.COMPLETE, 0.2),
        (TrialState.FAIL, None),
        (TrialState.PRUNED, None),
        (TrialState.PRUNED, None),
        (TrialState.FAIL, None),
        (TrialState.RUNNING, None),
    ]


def test_a_search_resumes_in_its_folder(tmp_path: Path) -> None:
    first = run(replace(SEARCH, n_trials=4), tmp_path)
    again = replace(SEARCH, n_trials=7).start(varying(*OVER), tmp_path)
    asked = again.ask()
    # Earlier trials, unchanged: reporting them again changes nothing.
    assert keys(asked) == keys(first)
    assert [s.values for s in asked] == [s.values for s in first]
    assert [s.study for s in asked] == [s.study for s in first]
    for setting in asked:
        again.tell(setting, 0.9, pruned=False)
    further = []
    while batch := again.ask():
        further += batch
        again.tell(batch[0], 0.1, pruned=False)
    assert len(further) == 3
    # The random draws of the beginning are not drawn a second time.
    assert set(keys(further)).isdisjoint(keys(first))
    assert states(tmp_path) == [("COMPLETE", 0.1)] * 7


def test_an_interrupted_search_runs_its_open_trials(tmp_path: Path) -> None:
    asking = replace(SEARCH, n_jobs=2).start(varying(*OVER), tmp_path)
    done, lost = asking.ask()
    asking.tell(done, 0.1, pruned=False)  # and the process is killed
    again = SEARCH.start(varying(*OVER), tmp_path)
    assert keys(again.ask()) == keys([done, lost])
    again.tell(lost, 0.2, pruned=False)
    assert states(tmp_path) == [("COMPLETE", 0.1), ("COMPLETE", 0.2)]


def test_a_shorter_search_asks_what_is_there_and_no_more(tmp_path: Path) -> None:
    first = run(SEARCH, tmp_path)
    assert keys(run(replace(SEARCH, n_trials=3), tmp_path)) == keys(first)


def test_a_trial_that_failed_is_open_again(tmp_path: Path) -> None:
    first = run(
        replace(SEARCH, n_trials=3), tmp_path, lambda s: None if s.study == {"number": 1} else 0.1
    )
    again = replace(SEARCH, n_trials=3).start(varying(*OVER), tmp_path)
    asked = again.ask()
    assert keys(asked) == keys(first)
    # It is watched like the first time.
    assert watched(tmp_path, asked[1], [0.1, 0.2]) == 2
    again.tell(asked[1], 0.3, pruned=False)
    assert states(tmp_path) == [("COMPLETE", 0.1), ("COMPLETE", 0.3), ("COMPLETE", 0.1)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["optuna.journal"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("16,32", "16,32,64"),
        ("range(8,33,8)", "range(8,65,8)"),
        ("16,32", "16,32,48"),  # from choices to numbers
        ("16,32,48", "64,48,32,16"),  # and back
        ("int(interval(8,64))", "int(interval(4,128))"),
        ("interval(0.1,0.2)", "tag(log,interval(0.01,1))"),
    ],
)
def test_more_values_are_added_to_what_is_known(before: str, after: str, tmp_path: Path) -> None:
    first = run(replace(SEARCH, n_trials=4), tmp_path, over=[f"key={before}", "loss=bce,bpr"])
    over = [f"key={after}", "loss=bce,bpr"]
    both = run(SEARCH, tmp_path, over=over)
    assert keys(both)[:4] == keys(first)
    assert [setting.values for setting in both[:4]] == [setting.values for setting in first]
    assert len(both) == 8
    assert states(tmp_path, over) == [("COMPLETE", 0.1)] * 8


def test_trials_outside_of_a_new_range_are_forgotten(tmp_path: Path) -> None:
    def number(setting: Setting) -> float:
        return float(setting.values["n"])

    first = run(SEARCH, tmp_path, number, over=["n=int(interval(1,50))"])
    inside = [setting for setting in first if setting.values["n"] <= 25]
    assert 0 < len(inside) < 8
    over = ["n=int(interval(1,25))"]
    again = run(SEARCH, tmp_path, number, over=over)
    assert keys(again)[: len(inside)] == keys(inside)
    assert [value for _, value in states(tmp_path, over)] == [number(s) for s in again]
    # Another key varies: nothing of earlier fits in.
    assert len(run(replace(SEARCH, n_trials=2), tmp_path, over=["m=int(interval(1,25))"])) == 2


def test_a_trial_without_all_of_its_values_is_forgotten(tmp_path: Path) -> None:
    # Its process was killed between two draws.
    asking = SEARCH.start(varying(*OVER), tmp_path)
    asking.study.ask({"n": asking.study.ask(_space(asking)).distributions["n"]})
    again = SEARCH.start(varying(*OVER), tmp_path)
    assert len(again.ask()) == 1


def _space(asking: Any) -> Any:
    from twotower.sweeping.search.study import space_of

    return space_of(asking.axes)


def begun_search(folder: Path, curves: Sequence[Sequence[float]]) -> Setting:
    """A study whose finished trials had these values, and one more that begins."""
    asking = SEARCH.start(varying(*OVER), folder)
    for curve in curves:
        (setting,) = asking.ask()
        assert watched(folder, setting, curve) == len(curve)
        asking.tell(setting, max(curve), pruned=False)
    (setting,) = asking.ask()
    return setting


def test_a_trial_below_the_median_of_the_others_is_stopped(tmp_path: Path) -> None:
    # The median of the others after epoch 2 is (0.3 + 0.4) / 2 = 0.35.
    begun = begun_search(tmp_path, [[0.2, 0.3, 0.4], [0.3, 0.4, 0.5]])
    assert watched(tmp_path, begun, [0.1, 0.1, 0.1]) == 2  # the first epoch is safe


def test_a_trial_above_the_median_runs_to_its_end(tmp_path: Path) -> None:
    begun = begun_search(tmp_path, [[0.2, 0.3, 0.4], [0.3, 0.4, 0.5]])
    assert watched(tmp_path, begun, [0.1, 0.36, 0.46]) == 3


def test_earlier_curves_are_reused_in_a_wider_range(tmp_path: Path) -> None:
    begun_search(tmp_path, [[0.2, 0.3, 0.4], [0.3, 0.4, 0.5]])
    over = [*OVER[:-1], "n=int(interval(1,99))"]
    (*_, begun) = SEARCH.start(varying(*over), tmp_path).ask()
    assert watched(tmp_path, begun, [0.1, 0.1, 0.1]) == 2


def test_the_first_trials_are_never_stopped(tmp_path: Path) -> None:
    begun = begun_search(tmp_path, [[0.9, 0.9, 0.9]])
    assert watched(tmp_path, begun, [0.0, 0.0, 0.0]) == 3


def test_a_watch_reports_when_and_why(tmp_path: Path) -> None:
    begun = begun_search(tmp_path, [[0.2, 0.3], [0.3, 0.4]])
    assert begun.study is not None
    watch = SEARCH.watch(tmp_path, begun.study["number"], MONITOR)
    assert watch is not None
    watch(1, {MONITOR: 0.1})
    with pytest.raises(Pruned, match=f"^stopped after epoch 2: {MONITOR} is below that of others$"):
        watch(2, {MONITOR: 0.1})


def test_a_trial_resumed_from_a_checkpoint_reports_an_epoch_again(tmp_path: Path) -> None:
    begun = begun_search(tmp_path, [[0.2, 0.3, 0.4], [0.3, 0.4, 0.5]])
    assert watched(tmp_path, begun, [0.3, 0.4]) == 2
    assert watched(tmp_path, begun, [0.3, 0.4, 0.1]) == 3  # no warning, which would be an error
    assert begun.study is not None
    (*_, trial) = SEARCH.start(varying(*OVER), tmp_path).study.trials
    assert trial.intermediate_values == {0: 0.3, 1: 0.4, 2: 0.1}  # steps from 0


def test_nothing_is_stopped_without_a_pruner_or_where_the_value_is_known(tmp_path: Path) -> None:
    asking = SEARCH.start(varying(*OVER), tmp_path)
    (setting,) = asking.ask()
    assert setting.study is not None
    number = setting.study["number"]
    assert replace(SEARCH, pruner=None).watch(tmp_path, number, MONITOR) is None
    assert SEARCH.watch(tmp_path, number, MONITOR) is not None
    asking.tell(setting, 0.1, pruned=False)
    assert SEARCH.watch(tmp_path, number, MONITOR) is None


def test_a_trial_is_watched_from_another_process(tmp_path: Path) -> None:
    begun = begun_search(tmp_path, [[0.2, 0.3, 0.4], [0.3, 0.4, 0.5]])
    assert begun.study is not None
    code = f"""
from functools import partial
from pathlib import Path
from optuna.pruners import MedianPruner
from optuna.samplers import RandomSampler
from twotower.sweeping.search.optuna import OptunaSearch
from twotower.running.trial_context import Pruned
pruner = partial(MedianPruner, n_startup_trials=2, n_warmup_steps=1)
search = OptunaSearch(n_trials=8, n_jobs=1, seed=0, sampler=RandomSampler, pruner=pruner)
watch = search.watch(Path({str(tmp_path)!r}), {begun.study["number"]}, {MONITOR!r})
watch(1, {{{MONITOR!r}: 0.1}})
try:
    watch(2, {{{MONITOR!r}: 0.1}})
except Pruned as pruned:
    print(pruned)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"stopped after epoch 2: {MONITOR} is below that of others\n"
    assert done.stderr == ""
    (*_, trial) = SEARCH.start(varying(*OVER), tmp_path).study.trials
    assert (trial.state, trial.intermediate_values) == (TrialState.RUNNING, {0: 0.1, 1: 0.1})


def test_the_search_finds_the_best_region_better_than_chance(tmp_path: Path) -> None:
    # The best is lr = 1e-2 with dim 48; a value loses 1 for each decade or 16 dims away. By chance
    # it loses (4 * 4 + 2 * 2) / 2 / 6 = 1.67 on a line from 1e-6 to 1, and 560 / 16 / 16 = 2.19 in
    # the mean over 8, 16, ... 128: together 3.85.
    def value(setting: Setting) -> float:
        lr: float = setting.values["lr"]
        dim: int = setting.values["dim"]
        return -abs(math.log10(lr) + 2) - abs(dim - 48) / 16

    over = ["lr=tag(log,interval(1e-6,1))", "dim=range(8,129,8)"]
    last = [
        value(setting)
        for seed in range(3)
        for setting in run(
            replace(SEARCH, n_trials=40, seed=seed), tmp_path / str(seed), value, over
        )[-15:]
    ]
    assert sum(last) / len(last) > -3.85 * 2 / 3
