"""Flat params and the masking of credentials."""

from __future__ import annotations

import pytest

from twotower.config import compose
from twotower.config.params import params
from twotower.config.short_names import short_name
from twotower.config.tree import choices
from twotower.core.secrets import mask, mask_all
from twotower.tracking.params import flat_params


def logged(*overrides: str) -> dict[str, str]:
    return flat_params(compose("train", overrides), "config.yaml")


def test_a_run_logs_choices_and_values_by_short_names() -> None:
    params = logged("tower.emb_dim=32", "optimizer.lr=1e-3")
    choices = {name: params[name] for name in ("dataset", "split", "tower", "loss", "optimizer")}
    assert choices == {
        "dataset": "movielens_100k",
        "split": "time",
        "tower": "embedding",
        "loss": "bce",
        "optimizer": "adam",
    }
    values = {name: params[name] for name in ("emb_dim", "num_negatives", "lr", "patience", "bias")}
    assert values == {
        "emb_dim": "32",
        "num_negatives": "10",
        "lr": "0.001",
        "patience": "20",
        "bias": "false",
    }
    assert params["filters"] == "MinCountFilter(num_entries=20, groupby_column=user_id)"


def test_plumbing_is_only_in_the_file() -> None:
    params = logged("tower=pair", "negative_sampling=mixed")
    assert not [name for name in params if "_target_" in name or "_partial_" in name]
    left_out = ("tracking", "output_dir", "baselines", "seeds", "run_name", "dataset.url")
    assert not [name for name in params if name.startswith(left_out)]
    assert "tower.user.emb_dim" not in params  # repeats emb_dim


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        # choices of one class differ in their values
        (["preprocessing=none"], {"preprocessing": "none", "filters": "[]"}),
        (["dataset=movielens_20m"], {"dataset": "movielens_20m"}),
        (["trainer=gpu"], {"trainer": "gpu", "accelerator": "gpu"}),
        (["evaluation=notebook"], {"evaluation": "notebook", "drop_seen": "false"}),
        # a nested group, and a key that another group has too
        (
            ["tower=history", "tower/encoder=gru"],
            {"tower": "history", "encoder": "gru", "tower.encoder.hidden": "32"},
        ),
        (["tower=features"], {"hidden": "[64]", "text": "ngrams"}),
        (["split=last_n"], {"split.strategy": "interactions", "trainer.strategy": "auto"}),
        (["dataset=synthetic"], {"dataset.seed": "0", "seed": "0", "dataset.n_users": "2000"}),
        (
            ["tower=pair"],
            {"similarity": "dot", "tower.user": "embedding", "tower.item": "features"},
        ),
        (
            ["trainer.lightning.gradient_clip_val=1.0"],
            {"trainer.lightning.gradient_clip_val": "1.0"},
        ),
    ],
)
def test_the_param_name_of_a_key(overrides: list[str], expected: dict[str, str]) -> None:
    params = logged(*overrides)
    assert {name: params.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("tower.emb_dim", "emb_dim"),
        ("tower", "tower"),
        ("tower/encoder", "encoder"),
        ("trainer.batch_size", "batch_size"),
        ("tower.text.batch_size", "tower.text.batch_size"),
        ("split.seed", "split.seed"),
        ("dataset.path", "dataset.path"),
        ("tower.of_a_user", "tower.of_a_user"),  # no key of this tree: no short name
        ("loss.lr", "loss.lr"),
    ],
)
def test_a_name_is_the_same_for_every_run(key: str, name: str) -> None:
    assert short_name(key) == name


def test_no_two_keys_share_a_name() -> None:
    for tower in choices("tower"):
        for sampler in choices("negative_sampling"):
            config = compose("train", [f"tower={tower}", f"negative_sampling={sampler}"])
            names = [param.name for param in params(config)]
            assert len(names) == len(set(names))


def test_a_user_component_is_named_by_its_class() -> None:
    config = {"tower": {"_target_": "mine.towers.Big", "_partial_": True, "emb_dim": 4, "w": 2}}
    expected = {"tower": "Big", "emb_dim": "4", "tower.w": "2"}
    assert flat_params(config, "config.yaml") == expected


def test_values_are_spelled_as_in_yaml() -> None:
    config = {
        "text": "once",
        "off": False,
        "none": None,
        "small": 1e-05,
        "list": [1, "a", {"x": None}],
        "nested": {"deep": {"value": 1}},
    }
    assert flat_params(config, "config.yaml") == {
        "text": "once",
        "off": "false",
        "none": "null",
        "small": "1e-05",
        "list": '[1, "a", {"x": null}]',
        "nested.deep.value": "1",
    }


@pytest.mark.parametrize("key", ["user@id", "a.b", "имя", ""])
def test_a_mapping_whose_keys_are_not_names_is_one_param(key: str) -> None:
    columns = {"columns": {key: "user_id", "item": "item_id"}}
    assert flat_params(columns, "config.yaml") == {
        "columns": f'{{"{key}": "user_id", "item": "item_id"}}'
    }


def test_a_name_that_is_too_long_is_left_out() -> None:
    assert flat_params({"a": {"b" * 249: 1}, "c": 2}, "config.yaml") == {"c": "2"}
    assert flat_params({"a": {"b" * 248: 1}}, "config.yaml") == {f"a.{'b' * 248}": "1"}


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("http://me:pw@host:5000/x", "http://***@host:5000/x"),
        ("postgresql+psycopg2://me:p@w@host/db", "postgresql+psycopg2://***@host/db"),
        ("https://token@host", "https://***@host"),
        ("see (http://a:b@c) and http://d:e@f", "see (http://***@c) and http://***@f"),
        ("https://host/a?x=1&token=abc&y=2", "https://host/a?x=1&token=***&y=2"),
        ("https://host/a?password=abc", "https://host/a?password=***"),
        ("sqlite:////data/mlflow.db", "sqlite:////data/mlflow.db"),
        ("https://host/users/@me", "https://host/users/@me"),
        ("write to me@example.org", "write to me@example.org"),
    ],
)
def test_masking(text: str, masked: str) -> None:
    assert mask(text) == masked
    assert mask_all({"a": [text, {"b": text}], "n": 1}) == {"a": [masked, {"b": masked}], "n": 1}
