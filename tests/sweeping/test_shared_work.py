"""Trials of a sweep share data and folds, and have the numbers of the same runs alone."""

from __future__ import annotations

from collections import Counter

import pytest

import twotower
from twotower.dataset.synthetic import Synthetic
from twotower.running import shared
from twotower.split.fold import fold_of

VARIED = {"tower.emb_dim": [4, 8], "negative_sampling.num_negatives": [2, 3]}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often data was read and folds were made."""
    calls: Counter[str] = Counter()
    load = Synthetic.load

    def counted_load(self: Synthetic):  # type: ignore[no-untyped-def]
        calls["load"] += 1
        return load(self)

    def counted_fold_of(frames, part, split, **keys):  # type: ignore[no-untyped-def]
        calls[part] += 1
        return fold_of(frames, part, split, **keys)

    monkeypatch.setattr(Synthetic, "load", counted_load)
    monkeypatch.setattr("twotower.running.experiment.fold_of", counted_fold_of)
    return calls


def test_a_trial_has_the_numbers_of_the_same_run_alone(
    untracked: list[str], calls: Counter[str]
) -> None:
    table = twotower.sweep(VARIED, untracked)
    assert (calls["validation"], calls["test"]) == (1, 1)
    assert calls["load"] <= 2  # to plan, and for all trials
    for row in table.to_dict("records"):
        alone = twotower.run([*untracked, *(f"{key}={row[key]}" for key in VARIED)])
        for name, value in alone.metrics.items():
            if name.startswith("val/"):
                assert row[name] == value, name
    assert shared._latest == []


def test_trials_on_other_data_share_nothing(untracked: list[str], calls: Counter[str]) -> None:
    twotower.sweep({"split.n": [1, 2]}, untracked)
    assert calls["validation"] == 2


def test_the_next_sweep_reads_its_data_itself(untracked: list[str], calls: Counter[str]) -> None:
    for _ in range(2):
        twotower.sweep({"tower.emb_dim": [4]}, [*untracked, "hydra.sweeper.resume=false"])
    assert calls["validation"] == 2
