"""The choices of the group `hydra/sweeper`: each composes, is explained, and is a search."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from twotower.config import CONF_DIR, axes, build_part
from twotower.core.errors import ConfigError

FOLDER = CONF_DIR / "hydra" / "sweeper"
CHOICES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
# Keys that define what a node is, rather than a value of it.
NODES = {"defaults", "search", "sampler", "pruner", "_target_", "_partial_"}


def node(overrides: Sequence[str]) -> Any:
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        return compose("train", list(overrides), return_hydra_config=True).hydra.sweeper


def search(*overrides: str) -> Any:
    return build_part("hydra.sweeper.search", node(overrides).search)


def test_all_choices_are_found() -> None:
    assert CHOICES == ["grid", "optuna", "random"]
    assert type(search()).__name__ == "GridSearch", "the default"


@pytest.mark.parametrize("choice", CHOICES)
def test_every_choice_is_a_search_of_its_file(choice: str, tmp_path: Path) -> None:
    found = search(f"hydra/sweeper={choice}")
    assert type(found).__module__ == f"twotower.sweeping.search.{choice}"
    over = axes(["tower.emb_dim=range(8,129,8)", "loss=a,b"])[1]
    asking = found.start(over, tmp_path)
    (first, *_) = asking.ask()
    assert list(first.values) == ["tower.emb_dim", "loss"]
    assert found.total(over) == (32 if choice == "grid" else 20)
    asking.tell(first, 0.1, pruned=False)


@pytest.mark.parametrize("choice", CHOICES)
def test_every_value_is_documented_in_place(choice: str) -> None:
    lines = (FOLDER / f"{choice}.yaml").read_text().splitlines()
    assert lines[0].startswith("# "), "the first line describes the choice"
    for before, line in itertools.pairwise(lines):
        key = re.match(r"\s*(\w+):", line)
        if key and key[1] not in NODES:
            assert "#" in line or before.lstrip().startswith("#"), f"{key[1]} in {choice}.yaml"


@pytest.mark.parametrize("choice", CHOICES)
def test_every_sweeper_can_go_on_with_what_is_there(choice: str) -> None:
    assert node([f"hydra/sweeper={choice}"]).resume is True


@pytest.mark.parametrize(
    ("choice", "override", "output"),
    [
        ("random", "n_trials=0", "n_trials: got 0; input should be greater than 0"),
        ("random", "seed=-1", "seed: got -1; input should be greater than or equal to 0"),
        ("optuna", "n_trials=many", "n_trials: got 'many'; input should be a valid integer"),
        ("optuna", "n_jobs=0", "n_jobs: got 0; input should be greater than 0"),
        ("optuna", "sampler._target_=optuna.samplers.TPE", "sampler._target_: got "),
        (
            "optuna",
            "+sampler.n_startup=3",
            "sampler.n_startup: no such key; did you mean 'n_startup_trials'?",
        ),
        ("grid", "+n_trials=3", "n_trials: no such key"),
    ],
)
def test_wrong_values_are_named_before_anything_runs(
    choice: str, override: str, output: str
) -> None:
    plus, key = ("+", override[1:]) if override.startswith("+") else ("", override)
    with pytest.raises(ConfigError) as caught:
        search(f"hydra/sweeper={choice}", f"{plus}hydra.sweeper.search.{key}")
    assert f"\n  hydra.sweeper.search.{output}" in str(caught.value)


def test_pruning_can_be_left_out(tmp_path: Path) -> None:
    found = search("hydra/sweeper=optuna", "hydra.sweeper.search.pruner=null")
    asking = found.start(axes(["loss=a,b"])[1], tmp_path)
    (setting,) = asking.ask()
    assert found.watch(tmp_path, setting.study["number"], "val/ndcg_at_10") is None


def test_another_sampler_and_pruner_of_optuna_can_be_named(tmp_path: Path) -> None:
    part = "hydra.sweeper.search"
    found = search(
        "hydra/sweeper=optuna",
        f"{part}.sampler._target_=optuna.samplers.QMCSampler",
        *(f"~{part}.sampler.{key}" for key in ("n_startup_trials", "constant_liar")),
        f"~{part}.sampler.multivariate",
        f"{part}.pruner._target_=optuna.pruners.NopPruner",
        *(f"~{part}.pruner.{key}" for key in ("n_startup_trials", "n_warmup_steps")),
    )
    asking = found.start(axes(["lr=interval(0,1)"])[1], tmp_path)
    (setting,) = asking.ask()
    assert 0 <= setting.values["lr"] <= 1
    assert type(asking.study.sampler).__name__ == "QMCSampler"
    assert found.watch(tmp_path, setting.study["number"], "val/ndcg_at_10") is not None


def test_the_number_of_saved_epochs_is_correct(tmp_path: Path) -> None:
    found = search("hydra/sweeper=optuna")
    asking = found.start(axes(["lr=interval(0,1)"])[1], tmp_path)
    metric = "val/ndcg_at_10"

    def epochs(value: float) -> int:
        from twotower.running.trial_context import Pruned

        (setting,) = asking.ask()
        watch = found.watch(tmp_path, setting.study["number"], metric)
        for epoch in range(1, 14):
            try:
                watch(epoch, {metric: value})
            except Pruned:
                asking.tell(setting, value, pruned=True)
                return epoch
        asking.tell(setting, value, pruned=False)
        return 13

    # Five trials run to their end; of the next ten epochs are safe, and it is stopped after 11.
    assert [epochs(value) for value in (0.9, 0.8, 0.7, 0.6, 0.5)] == [13] * 5
    assert epochs(0.1) == 11
    assert epochs(0.8) == 13
