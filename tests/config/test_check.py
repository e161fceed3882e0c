"""Errors of a wrong config are reported before anything is read or written."""

from __future__ import annotations

from pathlib import Path

import pytest

from twotower.config import build, combinations, compose, lenient
from twotower.core.errors import ConfigError


def message(*overrides: str, config_name: str = "train") -> str:
    with pytest.raises(ConfigError) as caught:
        build(compose(config_name, overrides))
    return str(caught.value)


@pytest.mark.parametrize(
    ("override", "wanted"),
    [
        # wrong keys, however they are written
        ("seedd=1", "seedd: no such key; did you mean 'seed'? Valid: baselines, comparison,"),
        ("+seedd=1", "seedd: no such key; did you mean 'seed'? Valid: baselines, comparison,"),
        ("++seedd=1", "seedd: no such key; did you mean 'seed'? Valid: baselines, comparison,"),
        ("+anything.at.all=1", "anything: no such key; Valid: baselines, comparison,"),
        (
            "negative_sampling.num_negative=5",
            "negative_sampling.num_negative: no such key; did you mean 'num_negatives'? "
            "Valid: exclude_seen, num_negatives",
        ),
        ("preprocessing.filters.0.num=5", "preprocessing.filters.0.num: no such key; "),
        ("loss.weight=2", "loss.weight: no such key; did you mean 'dataset.columns.weight'"),
        (
            "trainer.lightning.max_stepz=2",
            "trainer.lightning.max_stepz: no such argument; Valid: accumulate_grad_batches",
        ),
        # missing ones
        ("~tower.emb_dim", "tower.emb_dim: missing; it must be set"),
        ("dataset=file", "dataset.path: must be set"),
        # values of a wrong type or range
        ("tower.emb_dim=0", "tower.emb_dim: got 0; input should be greater than 0"),
        ("tower.emb_dim=1.5", "tower.emb_dim: got 1.5; input should be a valid integer"),
        ("tower.emb_dim=big", "tower.emb_dim: got 'big'; input should be a valid integer"),
        ("seed=true", "seed: got True; input should be a valid integer"),
        ("seed=-1", "seed: got -1; input should be greater than or equal to 0"),
        ("split.test_size=1.5", "split.test_size: got 1.5; input should be less than 1"),
        ("split.test_start=soon", "split.test_start: got 'soon'; input should be a valid date"),
        ("optimizer.betas=[0.9]", "optimizer.betas: got [0.9]; field required"),
        (
            "trainer.accelerator=abacus",
            "trainer.accelerator: got 'abacus'; input should be 'auto', ",
        ),
        ("evaluation.k=0", "evaluation.k: got 0; input should be greater than 0"),
        ("evaluation.k=[]", "evaluation.k: got []; "),
        ("evaluation.metrics=[ndgc]", "no metric 'ndgc'; must be one of ndcg, hitrate, coverage,"),
        ("loss=null", "loss=null: no such choice; Valid: bce, bpr, "),
        ("tracking.uri=''", "tracking.uri: got ''; string should have at least 1 character"),
        ("++loss._target_=5", "loss._target_: got 5, which cannot be imported"),
        # values that a class itself refuses
        (
            "preprocessing.filters.0.num_entries=0",
            "preprocessing.filters.0: replay.preprocessing.filters.MinCountFilter refuses "
            "num_entries=0, groupby_column=user_id (AssertionError)",
        ),
        ("loss._target_=twotower.loss.bcee.B", "loss._target_: got 'twotower.loss.bcee.B', which"),
        # values that do not fit one another
        (
            "split.validation=false",
            "trainer.refit: got True, which needs a validation part, but split.validation=false "
            "cuts none; must be false",
        ),
        (
            "comparison.metric=mrr_at_5",
            "comparison.metric: got 'mrr_at_5', which is not measured per user "
            "(evaluation.metrics, evaluation.k); must be null or one of ndcg_at_10, hitrate_at_10, "
            "recall_at_10, ",
        ),
        ("comparison.metric=coverage_at_10", "comparison.metric: got 'coverage_at_10', which is"),
        ("evaluation.monitor=recall", "evaluation.monitor: got 'recall', which is not measured"),
        ("tracking.uri=./mlruns", "sqlite:///"),
        ("run_name=${nothing}", "Interpolation key 'nothing' not found"),
        # choices, and what no grammar knows
        (
            "dataset=movielens_10k",
            "dataset=movielens_10k: no such choice; did you mean 'movielens_100k'? Valid: ",
        ),
        ("tower=", "tower=: no such choice; Valid: embedding"),
        ("baselines=[popularity,eas]", "baselines=eas: no such choice; did you mean 'ease'?"),
        ("tower.emb_dim", "not an override; expected key=value"),
        ("tower.emb_dim=8,16", "sweep"),
    ],
)
def test_a_mistake_is_named_with_what_is_valid(override: str, wanted: str) -> None:
    metrics = ["evaluation.metrics=[ndcg]"] if "monitor" in override else []
    assert wanted in message(override, *metrics)


def test_all_errors_are_reported_together() -> None:
    text = message("seedd=1", "tower.emb_dim=-1", "+foo=2", "split.validation=false")
    assert text.startswith("the config has 5 errors; no data was read\n")
    for key in ("seedd", "tower.emb_dim", "foo", "trainer.patience", "trainer.refit"):
        assert f"\n  {key}: " in text


def test_a_config_without_mistakes_becomes_the_object_it_describes() -> None:
    config = compose("train", ["tower.emb_dim=8", "evaluation.k=[5,10]", "tracking=none"])
    experiment = build(config)
    assert config["tower"]["emb_dim"] == 8
    assert experiment.evaluation.cutoffs == [5, 10]


@pytest.mark.parametrize(
    "override",
    [
        "split.test_start=1998-03-01",
        "split.test_start='1998-03-01 12:00:00'",
        "optimizer.betas=[0.8,0.9]",
        "trainer.patience=null",
        "trainer.devices=auto",
        "tower.init_std=1",
        "baselines=[]",
        "baselines=[popularity,item_knn,ease,als]",
        "experiment=notebook",
        "preprocessing.filters.0.num_entries=5",
        "preprocessing.filters=[]",
        "optimizer.amsgrad=true",
        "trainer.lightning={gradient_clip_val: 1.0}",
        "run_name='a name'",
        "evaluation.k=20",
    ],
)
def test_what_is_valid_is_taken(override: str) -> None:
    build(compose("train", [override]))


@pytest.mark.parametrize("config_name", ["recommend", "ui"])
def test_the_other_commands_are_checked_alike(config_name: str) -> None:
    assert "prot: no such key" in message("prot=1", config_name=config_name)


def test_a_wrong_ending_names_the_right_ones() -> None:
    text = message("out=list.xlsx", config_name="recommend")
    assert text == "out: got 'list.xlsx', must end in one of .csv, .parquet, .jsonl"


def test_composing_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    build(compose("train", []))
    assert list(tmp_path.iterdir()) == []


def test_keys_become_lenient_and_choices_and_hydras_own_stay() -> None:
    given = ["tower.emb_dim=8", "+a=1", "dataset=file", "hydra.verbose=true", "~seed", "++b=2"]
    assert lenient(given) == [
        "++tower.emb_dim=8",
        "++a=1",
        "dataset=file",
        "hydra.verbose=true",
        "~seed",
        "++b=2",
    ]


def test_combinations_hold_each_value_of_a_sweep() -> None:
    # 1 + (3 - 1) + (2 - 1) combinations represent the 3 x 2 of the sweep.
    assert combinations(["++a=1,2,3", "tower=embedding", "++b=range(0,2)"]) == [
        ["++a=1", "tower=embedding", "++b=0"],
        ["++a=2", "tower=embedding", "++b=0"],
        ["++a=3", "tower=embedding", "++b=0"],
        ["++a=1", "tower=embedding", "++b=1"],
    ]
