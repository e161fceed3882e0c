"""Suggestions for a key or choice in a wrong place, and text where a number is expected."""

from __future__ import annotations

import pytest

from twotower.config import build, compose
from twotower.config.overrides import known_choices
from twotower.config.source import TRAIN
from twotower.core.errors import ConfigError


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("emb_dim=8", "emb_dim: no such key; did you mean 'tower.emb_dim'? Valid: "),
        ("num_negatives=3", "did you mean 'negative_sampling.num_negatives'?"),
        ("tower.num_negatives=3", "did you mean 'negative_sampling.num_negatives'?"),
        ("batchsize=3", "did you mean 'trainer.batch_size'?"),
        ("lr=0.1", "did you mean 'optimizer.lr'?"),
        ("history_length=3", "did you mean 'tower.history_length' (with tower=history)?"),
        ("sampler=in_batch", "did you mean 'negative_sampling=in_batch'?"),
        ("dataset=time", "did you mean 'split=time'?"),
        ("loss=ease", "did you mean 'baselines=[ease]'?"),
        ("encoder=gru", "encoder=gru: no such group; did you mean 'tower/encoder=gru'?"),
        ("encoder@tower.encoder=gru", "did you mean 'tower/encoder=gru'?"),
        ("text@tower.text=sentence", "did you mean 'tower/text=sentence'?"),
        ("tower.encoder=gru", "did you mean 'tower/encoder=gru'?"),
        (
            "encoder@tower.user.encoder=gru",
            "did you mean 'tower/encoder@tower.user.encoder=gru'?",
        ),
        ("tower=gru", "did you mean 'tower/encoder=gru'?"),
        ("tower=encoder/gru", "did you mean 'tower/encoder=gru'?"),
        ("tower/encoder=gruu", "tower/encoder=gruu: no such choice; did you mean 'gru'?"),
        ("tower/encoder=gru", "tower/encoder: the selected tower has no encoder; it needs"),
        ("experiment=emb_dim_x_num_negatives", "sweeps/emb_dim_x_num_negatives"),
    ],
)
def test_the_right_place_is_suggested(override: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compose("train", [override])
    assert expected in str(caught.value)


def test_a_key_that_another_choice_has_names_the_choices_that_have_it() -> None:
    with pytest.raises(ConfigError) as caught:
        compose("train", ["tower=history", "tower.bias=true", "negative_sampling=hard"])
    assert "tower.bias: no such key; it needs tower=embedding. Valid: emb_dim" in str(caught.value)


def test_a_sweep_over_a_nested_group_suggests_its_full_name() -> None:
    _, errors = known_choices(["tower=history", "encoder=gru,mean"], TRAIN)
    assert errors == ["encoder=gru,mean: no such group; did you mean 'tower/encoder=gru,mean'?"]


def test_values_of_an_unknown_nested_choice_are_not_checked() -> None:
    with pytest.raises(ConfigError) as caught:
        compose("train", ["tower=history", "tower/encoder=gruu", "tower.encoder.hidden=3"])
    assert str(caught.value).startswith("the config has 1 error;")


def test_nested_groups_are_no_choices_of_the_group_around_them() -> None:
    assert TRAIN.choices("tower") == ["embedding", "features", "history", "pair"]
    assert TRAIN.choices("tower/encoder") == ["attention", "gru", "mean", "sasrec"]
    assert "sweeps/emb_dim_x_num_negatives" in TRAIN.choices("experiment")


def test_numbers_from_the_environment_are_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"N": "8", "B": "true", "X": "1e-3", "O": "null", "L": "[5,10]"}.items():
        monkeypatch.setenv(name, value)
    config = compose(
        "train",
        [
            "tower.emb_dim=${oc.env:N}",
            "seed=${tower.emb_dim}",
            "tower.bias=${oc.env:B}",
            "optimizer.lr=${oc.env:X}",
            "trainer.patience=${oc.env:O}",
            "evaluation.k=${oc.env:L}",
            "run_name=${oc.env:N}",
            "trainer.batch_size='${oc.decode:${oc.env:N}}'",
        ],
    )
    assert config["tower"]["emb_dim"] == config["seed"] == config["trainer"]["batch_size"] == 8
    assert config["tower"]["bias"] is True
    assert config["optimizer"]["lr"] == 0.001
    assert config["trainer"]["patience"] is None
    assert config["evaluation"]["k"] == [5, 10]
    assert config["run_name"] == "8"  # which is text
    build(config)


def test_what_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("N", "eight")
    with pytest.raises(ConfigError, match=r"tower\.emb_dim: got 'eight'; input should be a valid"):
        compose("train", ["tower.emb_dim=${oc.env:N}"])
    with pytest.raises(ConfigError, match=r"tower\.emb_dim: got '8'"):  # quotes say text
        compose("train", ["tower.emb_dim='8'"])
