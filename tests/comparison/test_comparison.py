from __future__ import annotations

import random
from dataclasses import fields, replace
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from made_models import METRIC, model, pairs, users  # type: ignore[import-not-found]
from polars.testing import assert_frame_equal

from twotower.comparison import Comparison, Model
from twotower.config import CONF_DIR, build
from twotower.errors import ConfigError, DataError

NODE = yaml.safe_load((CONF_DIR / "comparison" / "default.yaml").read_text())


def comparison(**changes: Any) -> Comparison:
    made = build({**NODE, "metric": METRIC, "resamples": 400, **changes})
    assert isinstance(made, Comparison)
    return made


def hits(n_users: int, *hit: int) -> pl.DataFrame:
    """1 for the users in `hit`, 0 for the others."""
    frame: pl.DataFrame = users([float(user in hit) for user in range(n_users)])
    return frame


def test_the_config_has_a_value_for_each_parameter() -> None:
    assert NODE.keys() - {"_target_"} == {field.name for field in fields(Comparison)}
    assert build(NODE).metric == "ndcg_at_10"


@pytest.mark.parametrize("metric", ["ndcg", "ndcg@10", "ndcg_at_0", "ndcg_at_"])
def test_a_metric_without_a_length_is_refused(metric: str) -> None:
    with pytest.raises(ConfigError, match=r"comparison.metric: got .* such as ndcg_at_10"):
        comparison(metric=metric)


def made() -> list[Model]:
    """40 users: `best` hits 30 of them, `twin` 29 of these, `bad` 2; `bad` has two seeds."""
    relevant = [pairs((1, 10, 3, 1), (2, 10, 3, None), (2, 11, 9, 2))]
    return [
        model("bad", hits(40, 0), hits(40, 0, 1, 2), relevant=relevant * 2, parameters=10),
        model("twin", hits(40, *range(29)), relevant=relevant, parameters=100),
        model("best", hits(40, *range(30)), relevant=relevant, parameters=800),
    ]


def test_what_is_said_of_three_models() -> None:
    compared = comparison().compare(made())
    models = compared.models
    assert models["name"].to_list() == ["best", "twin", "bad"]
    assert models["rank"].to_list() == [1, 2, 3]
    assert models["n_seeds"].to_list() == [1, 1, 2]
    # Of 40: 30, 29, and (1 + 3) / 2 with a spread of sqrt(2) users.
    assert models["mean"].to_list() == pytest.approx([30 / 40, 29 / 40, 2 / 40])
    assert models["seed_spread"].to_list() == [None, None, pytest.approx(2**0.5 / 40)]
    assert models["tie_group"].to_list() == [1, 1, 2]
    assert models["parameters"].to_list() == [800, 100, 10]
    assert (models["low"] <= models["mean"]).all()
    assert (models["mean"] <= models["high"]).all()
    # One user decides between best and twin: every sum of signs is as far, p = 1. Between these and
    # bad no draw is as far as the sum seen: p = 1/401, times 3 and 2 of 3 pairs, raised to 3/401.
    assert models["p_best"].to_list() == [None, 1, pytest.approx(3 / 401)]
    assert compared.pairs.select("better", "worse", "p", "p_holm", "significant").rows() == [
        ("best", "twin", 1, 1, False),
        ("best", "bad", pytest.approx(1 / 401), pytest.approx(3 / 401), True),
        ("twin", "bad", pytest.approx(1 / 401), pytest.approx(3 / 401), True),
    ]
    assert compared.pairs["difference"].to_list() == pytest.approx([1 / 40, 28 / 40, 27 / 40])
    # Resampled, the one user that differs counts 0, 1, ... times: never less.
    assert compared.pairs["low"][0] == pytest.approx(0)
    assert compared.headline == "twin ties the best, best, at 1/8 of its parameters"
    assert compared.n_users == 40
    assert compared.notes == ()


def test_breakdowns_are_named_and_in_order_of_the_models() -> None:
    compared = comparison().compare(made())
    assert list(compared.tables) == ["models", "pairs", "history", "popularity"]
    assert compared.history["name"].to_list() == ["best", "twin", "bad"]  # all have seen 5 items
    assert compared.history["mean"].to_list() == pytest.approx(compared.models["mean"].to_list())
    assert compared.popularity is not None
    # In the first 2 are one of the two pairs of item 10, and that of item 11.
    assert compared.popularity.filter(name="twin").rows() == [
        ("3", 1, 2, "twin", 0.5),
        ("9", 1, 1, "twin", 1.0),
    ]
    without = [replace(m, relevant=None) for m in made()]
    assert list(comparison().compare(without).tables) == ["models", "pairs", "history"]


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False))
def test_neither_the_order_of_models_nor_that_of_rows_matters(chance: random.Random) -> None:
    def shuffled(frame: pl.DataFrame) -> pl.DataFrame:
        return frame[chance.sample(range(frame.height), frame.height)]

    models = [replace(m, per_user=[shuffled(f) for f in m.per_user]) for m in made()]
    chance.shuffle(models)
    expected, found = comparison().compare(made()), comparison().compare(models)
    for name, frame in expected.tables.items():
        assert_frame_equal(found.tables[name], frame)
    assert found.headline == expected.headline


def test_the_same_seed_gives_the_same_comparison_and_another_other_draws() -> None:
    generator = np.random.default_rng(0)
    models = [model(name, users(generator.random(30).tolist())) for name in "abc"]
    once, again, other = (comparison(seed=s).compare(models).pairs for s in (3, 3, 4))
    assert once.equals(again)
    assert not once["p"].equals(other["p"])
    assert not once["low"].equals(other["low"])


def test_models_with_equal_means_are_ranked_by_size() -> None:
    same = [
        model(name, hits(8, *hit), parameters=size)
        for name, hit, size in (("a", (0, 1), 30), ("b", (2, 3), None), ("c", (4, 5), 20))
    ]
    compared = comparison().compare(same)
    assert compared.models["name"].to_list() == ["c", "a", "b"]
    assert compared.headline is None  # the best is the smallest


def test_one_model_alone_has_its_interval_and_no_pairs() -> None:
    compared = comparison().compare([made()[0]])
    assert compared.models["p_best"].to_list() == [None]
    assert compared.models["tie_group"].to_list() == [1]
    assert compared.pairs.is_empty()
    assert compared.headline is None


def test_many_models_get_as_many_permutations_as_holm_needs() -> None:
    # 11 models have 55 pairs: at 0.05 the smallest p must be below 0.05 / 55 = 1/1100.
    models = [model(f"m{n}", hits(40, *range(3 * n))) for n in range(11)]
    compared = comparison(resamples=100, history_groups=1).compare(models)
    assert compared.pairs["significant"][9]  # the best, of 30 hits, and the worst, without any
    assert compared.pairs["p"].min() == pytest.approx(1 / 1101)
    assert compared.notes == (
        "1,100 permutations were drawn, not 100 (comparison.resamples): after Holm over 55 pairs "
        "no fewer could find anything significant at 0.05",
    )


def test_what_was_left_out_is_noted() -> None:
    frame = users([1, 0, 1], [1, 2, None])
    relevant = [pairs((1, 10, 3, 1), (None, 10, 3, None))]
    compared = comparison().compare([model("a", frame, relevant=relevant)])
    assert [note.partition(" are")[0] for note in compared.notes] == [
        "1 of 3 users",
        "1 of 2 relevant pairs",
    ]


def test_a_difference_that_other_seeds_might_undo_is_noted() -> None:
    # In the mean over seeds 0.6 against 0.5 for every user: significant. But two seeds of 0.2 and
    # 1.0 are both the first in one of four resamples, with 0.2 against 0.5.
    shaky = model("shaky", users([0.2] * 20), users([1.0] * 20))
    steady = model("steady", users([0.5] * 20), users([0.5] * 20))
    compared = comparison().compare([shaky, steady])
    assert compared.pairs["significant"].to_list() == [True]
    assert compared.notes == (
        "the interval of 1 significant differences holds 0: these models differ as they were "
        "trained, but with other seeds they might not",
    )
    sure = model("sure", users([0.6] * 20), users([0.62] * 20))
    assert comparison().compare([sure, steady]).notes == ()


def test_other_splits_are_refused() -> None:
    first, *others = made()
    with pytest.raises(DataError, match="different splits"):
        comparison().compare([replace(first, split_digest="other"), *others])
