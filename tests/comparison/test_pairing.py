from __future__ import annotations

import polars as pl
import pytest
from made_models import METRIC, model, users  # type: ignore[import-not-found]

from twotower.comparison.pairing import pair
from twotower.core.errors import ConfigError, DataError


def test_rows_are_brought_together_by_user() -> None:
    a = model("a", users([0.1, 0.2, 0.3], ["x", "y", "z"], [7, 8, 9]))
    b = model(
        "b", users([3, 1, 2], ["z", "x", "y"], [9, 7, 8]), users([20, 30, 10], ["y", "z", "x"])
    )
    paired = pair([a, b], METRIC)
    assert [values.tolist() for values in paired.values] == [
        [[0.1], [0.2], [0.3]],
        [[1, 10], [2, 20], [3, 30]],
    ]
    assert paired.n_seen.tolist() == [7, 8, 9]
    assert paired.notes == ()


def test_users_without_an_id_are_left_out_and_counted() -> None:
    frame = users([1, 0, 1, 0], [4, None, 3, None], [1, 0, 2, 0])
    paired = pair([model("a", frame)], METRIC)
    assert paired.values[0].tolist() == [[1], [1]]
    assert paired.n_seen.tolist() == [2, 1]
    assert paired.notes == (
        "2 of 4 users are left out: they have no id by which to pair them (cold users, which train "
        "does not hold)",
    )


def test_users_without_a_value_for_some_model_are_left_out_and_counted() -> None:
    nan = float("nan")
    paired = pair([model("a", users([1, 2, 3, nan])), model("b", users([1, None, 3, 4]))], METRIC)
    assert [values.tolist() for values in paired.values] == [[[1], [3]], [[1], [3]]]
    assert paired.notes == (
        f"2 users are left out: not every model has a value of {METRIC} for them",
    )


def test_models_of_other_splits_are_refused_by_name() -> None:
    models = [
        model("a", users([1])),
        model("b", users([1]), digest="def"),
        model("c", users([1])),
    ]
    with pytest.raises(DataError) as caught:
        pair(models, METRIC)
    assert str(caught.value) == (
        "these models were trained and evaluated on different splits, so their values cannot be "
        "paired by user; compare models with the same dataset, preprocessing and split, including "
        "its seed:\n  split abc: a, c\n  split def: b"
    )


def test_users_that_differ_are_refused() -> None:
    a, b = model("a", users([1, 2, 3], [1, 2, 3])), model("b", users([1, 2], [3, 8]))
    with pytest.raises(DataError) as caught:
        pair([a, b], METRIC)
    assert str(caught.value) == (
        "users differ, so values cannot be paired: 2 of a are not in b, the first is 1; 1 of b are "
        "not in a, the first is 8"
    )
    with pytest.raises(DataError, match=r"1 of a \(repeat 1\) are not in a \(repeat 2\)"):
        pair([model("a", users([1, 2, 3], [1, 2, 3]), users([1, 2], [1, 2]))], METRIC)
    with pytest.raises(DataError, match=r"ids differ in type.*a: Int64, b: String"):
        pair([a, model("b", users([1], ["1"]))], METRIC)


def test_a_metric_without_values_by_user_is_refused() -> None:
    other = users([1]).rename({METRIC: "mrr_at_2"}).with_columns(ndcg_at_2=0.5)
    models = [model("a", users([1]).with_columns(ndcg_at_2=0.5)), model("b", other)]
    with pytest.raises(ConfigError) as caught:
        pair(models, METRIC)
    assert str(caught.value) == (
        f"metric: got {METRIC!r}, which has no values per user in b (coverage never has any; "
        "evaluation.k and evaluation.metrics select what is measured); must be one of ndcg_at_2"
    )
    with pytest.raises(ConfigError, match=r"got 'user_id'.*must be one of ndcg_at_2"):
        pair(models, "user_id")


@pytest.mark.parametrize(
    ("models", "output"),
    [
        ([], "there are no models to compare"),
        (
            [model("b", users([1])), model("a", users([1])), model("b", users([1]))],
            "names of models must be unique; got several b",
        ),
        ([model("a", users([1])), model("b")], "these models have no values per user: b"),
        ([model("a", users([1, 0], [1, 1]))], "a: user 1 has several rows"),
        ([model("a", users([1], [None]))], "no user has an id and a value of hitrate_at_2"),
        ([model("a", users([1, 1], n_seen=[None, 2]))], "a: 1 users have no n_seen"),
    ],
)
def test_what_cannot_be_paired_is_refused(models: list[object], output: str) -> None:
    with pytest.raises(DataError, match=output):
        pair(models, METRIC)  # type: ignore[arg-type]


def test_ids_of_any_type_are_paired() -> None:
    days = pl.Series(["2026-01-02", "2026-01-01"]).str.to_date()
    paired = pair([model("a", users([1, 2], days)), model("b", users([3, 4], days))], METRIC)
    assert [values.tolist() for values in paired.values] == [[[2], [1]], [[4], [3]]]
