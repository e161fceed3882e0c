"""Runs that differ in nothing that affects results are the same run; likewise sweeps."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.config import Source, compose, hydra_node, shared
from twotower.config.identity import digest_of, sweep_id, trial_hash

SPLIT = "0" * 64
SOURCE = Source("train")
OPTUNA = "hydra/sweeper=optuna"


def of(*overrides: str, split: str = SPLIT) -> str:
    return trial_hash(compose("train", overrides), split)


@pytest.fixture(scope="module")
def plain() -> str:
    return of()


def turned(value: Any) -> Any:
    """The same with every mapping written from its end."""
    if isinstance(value, dict):
        return {key: turned(child) for key, child in reversed(value.items())}
    return [turned(child) for child in value] if isinstance(value, list) else value


def test_the_order_of_keys_is_irrelevant(plain: str) -> None:
    config = compose("train", [])
    assert list(turned(config)) != list(config)
    assert trial_hash(turned(config), SPLIT) == plain


@pytest.mark.parametrize(
    "overrides",
    [
        ["output_dir=elsewhere"],
        ["run_name=mine"],
        ["tracking=none"],
        ["tracking=server", "tracking.uri=http://127.0.0.1:5000"],
        ["tracking.experiment_name=other"],
        ["trainer.progress_bar=false"],
        ["trainer.checkpoint_seconds=1"],
        ["evaluation.block_scores=1000"],
        ["evaluation.test=all"],
        ["evaluation.test=never"],
        ["baselines=[]"],
        ["comparison.resamples=100"],
    ],
)
def test_a_run_is_the_same_wherever_and_however_it_goes(plain: str, overrides: list[str]) -> None:
    assert of(*overrides) == plain


@pytest.mark.parametrize(
    "override",
    [
        "tower.emb_dim=17",
        "seed=1",
        "negative_sampling.num_negatives=3",
        "dataset=synthetic",
        "preprocessing=none",
        "split=last_n",
        "optimizer.lr=0.5",
        "trainer.max_epochs=2",
        "trainer.batch_size=8",
        "trainer.refit=false",
        "evaluation.k=[5]",
        "evaluation.drop_seen=false",
    ],
)
def test_a_run_is_another_with_another_value(plain: str, override: str) -> None:
    assert of(override) != plain


def test_a_run_is_another_on_another_split(plain: str) -> None:
    assert of(split="1" * 64) != plain


def test_hashes_differ_from_value_to_value() -> None:
    hashes = {of(f"tower.emb_dim={dim}", f"seed={seed}") for dim in (4, 8) for seed in (0, 1)}
    assert len(hashes) == 4
    assert all(len(h) == 24 and set(h) <= set(string.hexdigits.lower()) for h in hashes)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=10,
    )
)
def test_a_digest_does_not_see_the_order_of_keys_and_sees_all_else(value: object) -> None:
    assert digest_of(turned(value)) == digest_of(value)
    assert digest_of([value]) != digest_of(value)
    assert len(digest_of(value)) == 24


def sweep(
    *fixed: str,
    keys: tuple[str, ...] = ("tower.emb_dim",),
    experiment: str = "e",
    source: Source = SOURCE,
) -> str:
    search = hydra_node(source, [o for o in fixed if "hydra" in o])["sweeper"]["search"]
    return sweep_id(experiment, shared(source, fixed), keys, search)


SWEEP = sweep("loss=bce", "trainer.max_epochs=3")


def test_a_sweep_is_the_same_in_another_order() -> None:
    assert sweep("trainer.max_epochs=3", "loss=bce") == SWEEP
    assert sweep("++trainer.max_epochs=3", "loss=bce") == SWEEP
    one, other = ("tower.emb_dim", "optimizer.lr"), ("optimizer.lr", "tower.emb_dim")
    assert sweep(keys=one) == sweep(keys=other)


def test_a_sweep_is_the_same_however_it_is_composed(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /loss: bce\ntrainer:\n  max_epochs: 3\n"
    )
    (tmp_path / "own.yaml").write_text(
        "defaults:\n  - train\n  - _self_\ntrainer:\n  max_epochs: 3\n"
    )
    folder = str(tmp_path)
    assert sweep("experiment=mine", source=Source("train", folder)) == SWEEP
    assert sweep(source=Source("own", folder)) == SWEEP
    searched = (f"hydra.searchpath=[file://{folder}]",)
    assert sweep("experiment=mine", *searched, source=Source("train", searchpath=searched)) == SWEEP
    (tmp_path / "own.yaml").write_text(
        "defaults:\n  - train\n  - _self_\ntrainer:\n  max_epochs: 4\n"
    )
    assert sweep(source=Source("own", folder)) != SWEEP


@pytest.mark.parametrize(
    "override",
    [
        "output_dir=elsewhere",
        "run_name=mine",
        "tracking=none",
        "tracking.uri=http://127.0.0.1:5000",
        "trainer.progress_bar=false",
        "evaluation.test=all",
        "baselines=[popularity,ease]",
        "comparison.resamples=100",
        "hydra/launcher=joblib",
        "++hydra.sweeper.resume=false",
    ],
)
def test_a_sweep_is_the_same_wherever_and_however_it_goes(override: str) -> None:
    assert sweep(override, "loss=bce", "trainer.max_epochs=3") == SWEEP


def test_a_sweep_is_another_with_another_key_or_fixed_value() -> None:
    both = ("tower.emb_dim", "optimizer.lr")
    others = {
        sweep("loss=bce", "trainer.max_epochs=4"),
        sweep("loss=bce"),
        sweep("loss=bpr", "trainer.max_epochs=3"),
        sweep("loss=bce", "trainer.max_epochs=3", "seed=1"),
        sweep("loss=bce", "trainer.max_epochs=3", keys=("tower.emb_dims",)),
        sweep("loss=bce", "trainer.max_epochs=3", keys=both),
        sweep("loss=bce", "trainer.max_epochs=3", experiment="other"),
        # Another search has other trials, and chooses among its own.
        sweep("loss=bce", "trainer.max_epochs=3", OPTUNA),
        sweep("loss=bce", "trainer.max_epochs=3", OPTUNA, "hydra.sweeper.search.seed=1"),
    }
    assert len(others) == 9
    assert SWEEP not in others


def test_a_longer_search_is_the_same_sweep() -> None:
    assert sweep(OPTUNA, "hydra.sweeper.search.n_trials=50") == sweep(OPTUNA)


def test_a_sweep_id_is_short_enough_for_a_folder() -> None:
    assert len(SWEEP) == 12


def test_choices_that_need_a_varying_choice_tell_sweeps_apart() -> None:
    # The default tower has no encoder.
    gru = sweep("tower/encoder=gru", keys=("tower",))
    assert gru != sweep("tower/encoder=mean", keys=("tower",))
    assert gru != sweep(keys=("tower",))
    assert gru != sweep("tower/encoder=gru", "seed=1", keys=("tower",))
