"""A run is called by what it varies."""

from __future__ import annotations

import pytest

from twotower.config import compose
from twotower.naming import run_name


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ([], "embedding bce"),
        (["tower.emb_dim=32", "+negative_sampling.num_negatives=5"], "emb_dim=32 num_negatives=5"),
        (["++seed=3", "experiment=notebook"], "seed=3 experiment=notebook"),
        # where data lie and where the run goes says nothing of the model
        (["output_dir=/tmp/x", "tracking=none", "tracking.uri=sqlite:///a.db"], "embedding bce"),
        (["trainer.progress_bar=false", "hydra.verbose=true", "run_name=x"], "embedding bce"),
        (["dataset=file", "dataset.path=log.csv"], "dataset=file"),
        (["~trainer.lightning"], "embedding bce"),
    ],
)
def test_the_name_is_what_the_overrides_change(overrides: list[str], name: str) -> None:
    assert run_name(overrides, compose("train", [])) == name
