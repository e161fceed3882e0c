"""Runs and sweeps that validate a sample of users: the same ones everywhere, and tests on all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import twotower
from twotower.core.errors import DataError
from twotower.reporting.run import print_result

SAMPLE = "evaluation.validation_users=20"


def test_seeds_models_and_baselines_share_the_users_and_the_test_has_all(
    small: list[str], output_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = (twotower.run([*small, SAMPLE, f"seed={seed}"]) for seed in (0, 1))
    assert one.validation is not None
    assert other.validation is not None
    assert one.test is not None
    validated = one.validation.measured.per_user["user_id"].to_list()
    assert len(validated) == 20
    assert other.validation.measured.per_user["user_id"].to_list() == validated
    baseline = one.validation.baselines["popularity"].per_user
    assert baseline["user_id"].to_list() == validated
    assert one.test.measured.per_user.height > 50
    assert one.test.fold.holdout.sampled_from is None
    # The kept epoch is the best one on the sample, and its metrics are those of the sample.
    assert one.metrics["val/ndcg_at_10"] == one.history["val/ndcg_at_10"].max()
    n_users = json.loads(one.validation.conditions)["sampled_from"]
    print_result(one, [])
    assert f"test, {one.test.measured.per_user.height} users" in capsys.readouterr().out
    where = [f"output_dir={output_dir}"]
    compared = twotower.compare([one, other], where)
    assert compared.n_users == 20
    (note,) = [note for note in compared.notes if "sample" in note]
    assert note.startswith(f"the users are a fixed sample, 20 of {n_users} (evaluation.validation")
    whole = twotower.run(small)
    with pytest.raises(DataError, match="evaluated differently"):
        twotower.compare([one, whole], where)
    # The test is the same question whatever validation ranks.
    tested = twotower.compare([one, whole], [*where, "part=test"])
    assert tested.n_users == one.test.measured.per_user.height
