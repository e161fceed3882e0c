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
from twotower.comparison.pairing import pair
from twotower.config import CONF_DIR, build
from twotower.core.errors import ConfigError, DataError

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
    assert build(NODE).metric is None


@pytest.mark.parametrize("metric", ["ndcg", "ndcg@10", "ndcg_at_0", "ndcg_at_"])
def test_a_metric_without_a_length_is_refused(metric: str) -> None:
    with pytest.raises(ConfigError, match=r"^metric: got .* such as ndcg_at_10"):
        comparison(metric=metric)


def made() -> list[Model]:
    """40 users: `best` hits 30 of them, `twin` 29 of these, `bad` 2; `bad` has two seeds."""
    relevant = [pairs((1, 10, 3, 1), (2, 10, 3, None), (2, 11, 9, 2))]
    return [
        model("bad", hits(40, 0), hits(40, 0, 1, 2), relevant=relevant * 2, parameters=10),
        model("twin", hits(40, *range(29)), relevant=relevant, parameters=100),
        model("best", hits(40, *range(30)), relevant=relevant, parameters=800),
    ]


def test_statements_about_three_models() -> None:
    compared = comparison().compare(made(), METRIC)
    models = compared.models
    assert models["name"].to_list() == ["best", "twin", "bad"]
    assert models["rank"].to_list() == [1, 2, 3]
    assert models["n_seeds"].to_list() == [1, 1, 2]
    # Of 40: 30, 29, and (1 + 3) / 2 with a spread of sqrt(2) users.
    assert models["mean"].to_list() == pytest.approx([30 / 40, 29 / 40, 2 / 40])
    assert models["seed_spread"].to_list() == [None, None, pytest.approx(2**0.5 / 40)]
    assert models["group"].to_list() == [1, 1, 2]
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
    # twin - 0.98 best is 0.02 for 29 users and -0.98 for one: -0.4 in all, so twin is not shown to
    # differ, and not shown to be no worse by 2% either.
    assert models["no_worse"].to_list() == [None, False, False]
    assert models["p_no_worse"][1] > 0.5
    assert compared.headline is None
    assert (compared.n_users, compared.n_folds) == (40, 1)
    assert compared.notes == (
        "1 smaller models are shown neither to differ from the best nor to be no worse within 2% "
        "(comparison.margin): there are too few users",
    )


def test_a_margin_that_is_wide_enough_gives_a_headline() -> None:
    # By 5%: twin - 0.95 best is 0.05 for 29 users and -0.95 for one, 0.5 in all. Where the one has
    # the other sign, nearly every draw is as large: p is about 1/2.
    # By 10%: 0.1 and -0.9, 2 in all. As large are draws with the other sign of the one (1/2) and 20
    # or more of the 29 (0.03): p is about 0.015, twice that after Holm.
    assert comparison(margin=0.05).compare(made(), METRIC).headline is None
    compared = comparison(margin=0.1, resamples=4000).compare(made(), METRIC)
    assert compared.models["p_no_worse"][1] == pytest.approx(0.03, abs=0.01)
    assert compared.models["no_worse"].to_list() == [None, True, False]
    assert compared.headline == (
        "twin is no worse than the best, best, within 10%, at 1/8 of its parameters"
    )


def test_folds_are_pooled_over_all_their_users() -> None:
    # Two folds of 12 and 8 users, two seeds each: 20 rows, of which users 0 to 7 have two each.
    first, second = [1.0] * 12, [0.5] * 8
    digests = ["fold 0", "fold 0", "fold 1", "fold 1"]
    good = model("good", *map(users, (first, first, second, second)), digest=digests)
    poor = model(
        "poor",
        *(users([0.2 * n for n in v]) for v in (first, first, second, second)),
        digest=digests,
    )
    compared = comparison().compare([poor, good], METRIC)
    assert (compared.n_users, compared.n_folds) == (20, 2)
    # (12 x 1 + 8 x 0.5) / 20, and a fifth of it.
    assert compared.models["mean"].to_list() == pytest.approx([0.8, 0.16])
    assert compared.models["n_seeds"].to_list() == [2, 2]
    assert compared.pairs["significant"].to_list() == [True]
    # A user's rows are drawn together: 12 users, 8 of them with two rows.
    assert pair([good, poor], METRIC).who.tolist() == [*range(12), *range(8)]


def test_rows_of_one_user_are_no_independent_evidence() -> None:
    # Three users who all prefer `a` by 1, in ten folds: 30 rows, but of 2^3 signs of users 2 are as
    # far, so that p is about 2/8 and not 2/2^30.
    digests = [f"fold {n}" for n in range(10)]
    a = model("a", *[users([1, 1, 1])] * 10, digest=digests)
    b = model("b", *[users([0, 0, 0])] * 10, digest=digests)
    compared = comparison(resamples=4000).compare([a, b], METRIC)
    assert compared.n_users == 30
    assert compared.pairs["p"][0] == pytest.approx(0.25, abs=0.03)


def test_repeats_without_their_like_are_left_out() -> None:
    frame = users([1, 0, 1])
    whole = model("whole", *[frame] * 4, digest=["f0", "f0", "f1", "f1"])
    part = model("part", frame, frame, digest=["f0", "f2"])
    compared = comparison().compare([whole, part], METRIC)
    assert (compared.n_users, compared.n_folds) == (3, 1)
    assert compared.notes == (
        "whole: 2 of its 4 repeats are left out, which have no counterpart on another fold or for "
        "another model",
        "part: 1 of its 2 repeats are left out, which have no counterpart on another fold or for "
        "another model",
    )


def test_other_evaluations_are_refused_with_what_differs() -> None:
    models = [
        model("a", users([1, 0]), evaluation='{"drop_seen": true}'),
        model("b", users([1, 0]), evaluation='{"drop_seen": false}'),
    ]
    with pytest.raises(DataError) as caught:
        comparison().compare(models, METRIC)
    assert str(caught.value) == (
        "these models were evaluated differently, so their values cannot be compared; use the "
        "same evaluation.drop_seen, evaluation.validation_users and trainer.refit:\n"
        '  {"drop_seen": true}: a\n'
        '  {"drop_seen": false}: b'
    )


def test_breakdowns_are_named_and_in_order_of_the_models() -> None:
    compared = comparison().compare(made(), METRIC)
    assert list(compared.tables) == ["models", "pairs", "metrics", "history", "popularity"]
    assert compared.history["name"].to_list() == ["best", "twin", "bad"]  # all have seen 5 items
    assert compared.history["mean"].to_list() == pytest.approx(compared.models["mean"].to_list())
    assert compared.popularity is not None
    # In the first 2 are one of the two pairs of item 10, and that of item 11.
    assert compared.popularity.filter(name="twin").rows() == [
        ("3", 1, 2, "twin", 0.5),
        ("9", 1, 1, "twin", 1.0),
    ]
    without = [
        replace(m, repeats=[replace(repeat, relevant=None) for repeat in m.repeats]) for m in made()
    ]
    assert list(comparison().compare(without, METRIC).tables) == [
        "models",
        "pairs",
        "metrics",
        "history",
    ]


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False))
def test_neither_the_order_of_models_nor_that_of_rows_matters(chance: random.Random) -> None:
    def shuffled(frame: pl.DataFrame) -> pl.DataFrame:
        return frame[chance.sample(range(frame.height), frame.height)]

    models = [
        replace(m, repeats=[replace(r, per_user=shuffled(r.per_user)) for r in m.repeats])
        for m in made()
    ]
    chance.shuffle(models)
    expected, found = comparison().compare(made(), METRIC), comparison().compare(models, METRIC)
    for name, frame in expected.tables.items():
        assert_frame_equal(found.tables[name], frame)
    assert found.headline == expected.headline


def test_the_same_seed_gives_the_same_comparison_and_another_other_draws() -> None:
    generator = np.random.default_rng(0)
    models = [model(name, users(generator.random(30).tolist())) for name in "abc"]
    once, again, other = (comparison(seed=s).compare(models, METRIC).pairs for s in (3, 3, 4))
    assert once.equals(again)
    assert not once["p"].equals(other["p"])
    assert not once["low"].equals(other["low"])


def test_models_with_equal_means_are_ranked_by_size() -> None:
    same = [
        model(name, hits(8, *hit), parameters=size)
        for name, hit, size in (("a", (0, 1), 30), ("b", (2, 3), None), ("c", (4, 5), 20))
    ]
    compared = comparison().compare(same, METRIC)
    assert compared.models["name"].to_list() == ["c", "a", "b"]
    assert compared.headline is None  # the best is the smallest


def test_one_model_alone_has_its_interval_and_no_pairs() -> None:
    compared = comparison().compare([made()[0]], METRIC)
    assert compared.models["p_best"].to_list() == [None]
    assert compared.models["group"].to_list() == [1]
    assert compared.pairs.is_empty()
    assert compared.headline is None


def test_many_models_get_as_many_permutations_as_holm_needs() -> None:
    # 11 models have 55 pairs: at 0.05 the smallest p must be below 0.05 / 55 = 1/1100.
    models = [model(f"m{n}", hits(40, *range(3 * n))) for n in range(11)]
    compared = comparison(resamples=100, history_groups=1).compare(models, METRIC)
    assert compared.pairs["significant"][9]  # the best, of 30 hits, and the worst, without any
    assert compared.pairs["p"].min() == pytest.approx(1 / 1101)
    assert compared.notes == (
        "1,100 permutations were drawn, not 100 (comparison.resamples): with fewer, no "
        "difference could be significant at 0.05 after Holm's correction for 55 pairs",
    )


def test_what_was_left_out_is_noted() -> None:
    frame = users([1, 0, 1], [1, 2, None])
    relevant = [pairs((1, 10, 3, 1), (None, 10, 3, None))]
    compared = comparison().compare([model("a", frame, relevant=relevant)], METRIC)
    assert [note.partition(" are")[0] for note in compared.notes] == [
        "1 of 3 users",
        "1 of 2 relevant pairs",
    ]


def test_a_difference_that_other_seeds_might_undo_is_noted() -> None:
    # In the mean over seeds 0.6 against 0.5 for every user: significant. But two seeds of 0.2 and
    # 1.0 are both the first in one of four resamples, with 0.2 against 0.5.
    shaky = model("shaky", users([0.2] * 20), users([1.0] * 20))
    steady = model("steady", users([0.5] * 20), users([0.5] * 20))
    compared = comparison().compare([shaky, steady], METRIC)
    assert compared.pairs["significant"].to_list() == [True]
    assert compared.notes == (
        "the intervals of 1 significant differences contain 0: these models differ, but might not "
        "if trained with other seeds",
    )
    sure = model("sure", users([0.6] * 20), users([0.62] * 20))
    assert comparison().compare([sure, steady], METRIC).notes == ()


def test_other_splits_are_refused() -> None:
    first, *others = made()
    elsewhere = replace(first, repeats=[replace(r, split="other") for r in first.repeats])
    with pytest.raises(DataError, match="different splits"):
        comparison().compare([elsewhere, *others], METRIC)
