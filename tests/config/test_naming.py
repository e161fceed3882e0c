"""A run is named by what differs from the default recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from twotower.config import compose
from twotower.config.naming import run_name, setting_name


def named(*overrides: str) -> str:
    return run_name(overrides, compose("train", overrides))


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ([], "movielens_100k default"),
        (["tower.emb_dim=32", "+negative_sampling.num_negatives=5"], "emb_dim=32 num_negatives=5"),
        (["tower.emb_dim=16"], "movielens_100k default"),  # as it is anyway
        (["++seed=3", "experiment=notebook"], "notebook seed=3"),
        (["experiment=ml100k"], "ml100k"),
        (["experiment=gowalla", "tower.emb_dim=32"], "gowalla emb_dim=32"),
        (["experiment=gowalla"], "gowalla"),
        (["tower=history", "tower/encoder=gru"], "tower=history encoder=gru"),
        (["trainer.lightning.gradient_clip_val=1.0"], "gradient_clip_val=1.0"),
        # the location of data and outputs is no property of the model
        (["output_dir=/tmp/x", "tracking.uri=sqlite:///a.db"], "movielens_100k default"),
        (["trainer.progress_bar=false", "run_name=x"], "movielens_100k default"),
        (["dataset=file", "dataset.path=my/secret.csv", "dataset.title=t"], "dataset=file"),
    ],
)
def test_the_name_is_what_differs(overrides: list[str], name: str) -> None:
    assert named(*overrides) == name


def test_it_makes_no_difference_where_a_value_comes_from() -> None:
    config = compose("train", ["negative_sampling.num_negatives=5", "tower.emb_dim=32"])
    # as from a config of one's own: nothing was typed
    assert run_name([], config) == "num_negatives=5 emb_dim=32"


def test_names_hold_neither_paths_nor_secrets_nor_control_characters(tmp_path: Path) -> None:
    config = compose("train", ["dataset=file", f"dataset.path={tmp_path}/log.csv"])
    config["dataset"] |= {"api_token": "hunter2", "note": "a\x1b[31mb\n"}
    config["tower"]["init_from"] = f"{tmp_path}/other"
    assert run_name([], config) == "dataset=file note=a[31mb"


def test_names_are_bounded() -> None:
    config = compose("train", [])
    config["tower"] |= {f"width_of_layer_{n}": n for n in range(40)}
    name = run_name([], config)
    assert name == (
        "width_of_layer_0=0 width_of_layer_1=1 width_of_layer_2=2 width_of_layer_3=3 and 36 more"
    )


@pytest.mark.parametrize(
    ("varied", "name"),
    [
        ({"tower/encoder": "gru", "tower.emb_dim": 8}, "encoder=gru emb_dim=8"),
        ({"tower/encoder@tower.user.encoder": "gru"}, "encoder=gru"),
        ({"tower.seed": 1, "split.seed": 2}, "tower.seed=1 split.seed=2"),
    ],
)
def test_settings_are_named_by_the_last_part_of_each_key(
    varied: dict[str, object], name: str
) -> None:
    assert setting_name(varied) == name
