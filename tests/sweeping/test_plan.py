"""From settings to trials: composed, checked, and known by what they compute."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from twotower.config import axes, compose
from twotower.config.identity import trial_hash
from twotower.config.naming import setting_name
from twotower.core.errors import ConfigError, DataError
from twotower.running.experiment import Experiment
from twotower.sweeping.plan import Plan
from twotower.sweeping.search import Setting
from twotower.sweeping.search.grid import GridSearch
from twotower.sweeping.trial_spec import Trial

NO_VALIDATION = ("split.validation=false", "trainer.patience=null", "trainer.refit=false")


def plan_of(folder: Path, fixed: Sequence[str], seeds: str | None = None) -> Plan:
    repeats = axes([f"seed={seeds}"])[1] if seeds is not None else []
    return Plan(folder, fixed, repeats, 4, lambda overrides: compose("train", overrides))


def settings_of(*overrides: str) -> list[Setting]:
    return list(GridSearch().start(axes(overrides)[1], Path()).ask())


def trials_of(
    folder: Path, fixed: Sequence[str], *overrides: str, seeds: str | None = None
) -> list[Trial]:
    planned = plan_of(folder, fixed, seeds).trials(settings_of(*overrides), tests=False)
    return [trial for repeats in planned.values() for trial in repeats]


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """`split.n`, of each time that data was read."""
    seen: list[int] = []
    load = Experiment.load

    def spy(self: Experiment) -> Any:
        seen.append(self.config["split"]["n"])
        return load(self)

    monkeypatch.setattr(Experiment, "load", spy)
    return seen


def test_a_trial_is_made_of_what_is_fixed_what_varies_and_a_seed(
    tmp_path: Path, untracked: list[str]
) -> None:
    plan = plan_of(tmp_path, [*untracked, "++trainer.max_epochs=2"], "3,4")
    settings = settings_of("tower.emb_dim=4,8")
    planned = plan.trials(settings, tests=True)
    assert list(planned) == settings
    assert [len(repeats) for repeats in planned.values()] == [2, 2]
    last = planned[settings[1]][1]
    assert last.line == (*untracked, "++trainer.max_epochs=2", "tower.emb_dim=8", "seed=4")
    spec = last.spec
    assert spec.overrides == (*untracked, "trainer.max_epochs=2", "tower.emb_dim=8", "seed=4")
    assert (spec.name, spec.setting) == ("emb_dim=8 seed=4", "emb_dim=8")
    assert (spec.varied, spec.seed) == ({"tower.emb_dim": 8}, 4)
    assert (spec.place, spec.tests, spec.parent_id) == ("4/4", True, None)
    # Both the hash and the folder are those of what the line composes to.
    ((digest, identity),) = plan.split_digests.values()
    assert last.split_digest == digest
    assert spec.hash == trial_hash(compose("train", last.line), identity)
    assert last.folder == tmp_path / f"trial-{spec.hash[:12]}"
    specs = [trial.spec for repeats in planned.values() for trial in repeats]
    assert len({each.hash for each in specs}) == 4
    assert [each.place for each in specs] == ["1/4", "2/4", "3/4", "4/4"]


def test_without_a_sweep_over_seeds_the_config_has_the_seed(
    tmp_path: Path, untracked: list[str]
) -> None:
    (trial,) = trials_of(tmp_path, [*untracked, "seed=7"])
    assert (trial.spec.seed, trial.spec.name, trial.spec.varied) == (7, "", {})
    assert trial.line == (*untracked, "seed=7")


def test_a_trial_is_the_same_at_any_position(tmp_path: Path, untracked: list[str]) -> None:
    one = trials_of(tmp_path, untracked, "tower.emb_dim=4,8", "optimizer.lr=0.1")
    # The same settings by other words in another order, and one more.
    other = trials_of(tmp_path, untracked[::-1], "optimizer.lr=0.1", "tower.emb_dim=range(12,3,-4)")
    hashes = [trial.spec.hash for trial in one]
    assert len(set(hashes)) == 2
    assert [trial.spec.hash for trial in other][:0:-1] == hashes


def test_the_data_is_read_once_a_split(
    tmp_path: Path, untracked: list[str], loads: list[int]
) -> None:
    plan = plan_of(tmp_path, untracked, "0,1")
    for _ in range(2):  # of a search in batches
        trials = plan.trials(settings_of("split.n=1,2"), tests=False)
    assert loads == [1, 2]
    one, other = ([t.split_digest for t in repeats] for repeats in trials.values())
    assert one[0] == one[1] != other[0] == other[1]


def test_nothing_is_read_where_one_trial_could_not_run(
    tmp_path: Path, untracked: list[str], loads: list[int]
) -> None:
    for overrides, output in (
        (("tower.emb_dim=4,0",), "tower.emb_dim: got 0; input should be greater than 0"),
        (("tower.emb_dims=4,8",), "tower.emb_dims: no such key; did you mean 'emb_dim'?"),
        (("loss=bce,bcee",), "loss=bcee: no such choice; did you mean 'bce'?"),
    ):
        with pytest.raises(ConfigError) as caught:
            trials_of(tmp_path, untracked, *overrides)
        assert output in str(caught.value)
    assert loads == []


def test_trials_that_nothing_could_choose_between_are_refused(
    tmp_path: Path, untracked: list[str], loads: list[int]
) -> None:
    with pytest.raises(ConfigError, match=r"^split.validation: got false, .* ranks its trials on"):
        trials_of(tmp_path, [*untracked, *NO_VALIDATION], "tower.emb_dim=4,8")
    assert loads == []


@pytest.mark.parametrize(
    ("override", "output"),
    [
        ("trainer.devices=2", "trainer.devices: got 2 in a sweep"),
        ("trainer.devices=auto", "trainer.devices: got auto in a sweep"),
        ("trainer.strategy=ddp", "trainer.strategy: got ddp in a sweep"),
    ],
)
def test_trials_of_several_processes_are_refused(
    override: str, output: str, tmp_path: Path, untracked: list[str], loads: list[int]
) -> None:
    with pytest.raises(ConfigError) as caught:
        trials_of(tmp_path, [*untracked, override], "tower.emb_dim=4")
    assert output in str(caught.value)
    assert loads == []


def test_wrong_data_is_reported_by_the_plan(tmp_path: Path, untracked: list[str]) -> None:
    log = tmp_path / "log.csv"
    log.write_text("user_id,item_id,timestamp\n1,2,3\n,2,4\n")
    own = [o for o in untracked if not o.startswith("dataset")]
    with pytest.raises(DataError, match=r"log\.csv"):
        trials_of(tmp_path, [*own, "dataset=file", f"dataset.path={log}"], "tower.emb_dim=4,8")


@pytest.mark.parametrize(
    ("varied", "name"),
    [
        ({}, ""),
        ({"tower.emb_dim": 32, "loss": "bce"}, "emb_dim=32 loss=bce"),
        ({"trainer.patience": None, "trainer.refit": True}, "patience=null refit=true"),
        ({"user.dim": 1, "item.dim": 2, "n": 3}, "user.dim=1 item.dim=2 n=3"),
    ],
)
def test_a_name_shows_what_varies(varied: dict[str, Any], name: str) -> None:
    assert setting_name(varied) == name
