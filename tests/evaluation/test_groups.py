"""Metrics of groups of users and items: by hand, with missing values, many groups and few users."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from judged_folds import make_fold, recommend  # type: ignore[import-not-found]
from mlflow import MlflowClient

import twotower
from twotower import config as conf
from twotower.core.errors import ConfigError
from twotower.evaluation.feature_groups import group_labels
from twotower.evaluation.groups import GroupMetrics
from twotower.reporting.run import print_result
from twotower.types import Fold

USERS = pl.DataFrame({"gender": ["F", "M", "F", None], "age": [20, 30, 40, 50]})
ITEMS = pl.DataFrame({"genres": [["A"], ["A", "B/C"], [], ["B/C"]], "age": [1, 1, 2, 2]})


@pytest.fixture
def fold() -> Fold:
    """Users 0, 1, 2 and the cold user 4 are judged; items 0 to 3."""
    relevant = {0: [2, 3], 1: [1], 2: [0], 4: [0]}
    made: Fold = make_fold([[0], [0], [1], [3]], 4, relevant)
    return replace(made, user_features=USERS, item_features=ITEMS)


def grouped(fold: Fold, lists: list[list[int]], by: str, k: str = "2") -> GroupMetrics:
    overrides = [f"evaluation.k={k}", f"evaluation.by={by}", "evaluation.metrics=[ndcg,recall]"]
    judge = conf.build(conf.compose("train", overrides)["evaluation"])
    recommendations = recommend(lists, fold.holdout.users, 2)
    measured = judge.measure(recommendations, fold)
    (groups,) = judge.measure_groups(recommendations, fold, measured)
    assert isinstance(groups, GroupMetrics)
    return groups


def test_users_are_averaged_by_group(fold: Fold) -> None:
    # Recall: user 0 finds one of two, 1 none, 2 its one, the cold user none.
    groups = grouped(fold, [[2, 1], [0, 2], [0, 3], []], "gender")
    assert groups.sizes == {"F": 2, "M": 1, "missing": 1}
    assert {g: v["recall_at_2"] for g, v in groups.values.items()} == {
        "F": (1 / 2 + 1) / 2,
        "M": 0,
        "missing": 0,
    }
    # s = sqrt(1/8), half-width 1.959964 sqrt(1/8) / sqrt(2) = 0.489991; none of a single user.
    assert groups.intervals["F"]["recall_at_2"] == pytest.approx((0.260009, 1.239991), abs=1e-6)
    assert groups.intervals["M"] == {}
    assert groups.logged("test")["test/by_gender/F/recall_at_2"] == 3 / 4


def test_items_have_recall_and_share_by_group(fold: Fold) -> None:
    # Six places: 2, 1 | 0, 2 | 0, 3. A has 0, 1 (three places), B/C has 1, 3 (two), none 2 (two).
    groups = grouped(fold, [[2, 1], [0, 2], [0, 3], []], "genres", "[1,2]")
    # Relevant: 2 and 3 of user 0, 1 of user 1, 0 of user 2 and of the cold one. Found: 2 and 0.
    assert groups.sizes == {"A": 3, "B/C": 2, "missing": 1}
    assert groups.values == {
        "A": {"recall_at_1": 1 / 3, "share_at_1": 2 / 3, "recall_at_2": 1 / 3, "share_at_2": 3 / 6},
        "B/C": {"recall_at_1": 0, "share_at_1": 0, "recall_at_2": 0, "share_at_2": 2 / 6},
        "missing": {"recall_at_1": 1, "share_at_1": 1 / 3, "recall_at_2": 1, "share_at_2": 2 / 6},
    }
    assert "test/by_genres/B_C/share_at_2" in groups.logged("test")


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([True, None], ["true", "missing"]),
        ([dt.date(1999, 1, 1), dt.date(2001, 5, 1)], ["1999", "2001"]),
        ([1.5, 2.0, None], ["1.5", "2.0", "missing"]),
        ([*range(12), None], ["0 to 2"] * 3 + ["3 to 5"] * 3 + ["6 to 8"] * 3 + ["9 to 11"] * 3),
    ],
)
def test_labels_by_hand(values: list[Any], labels: list[str]) -> None:
    found = group_labels(pl.Series(values, strict=False), np.arange(len(values)))
    assert found["group"].to_list()[: len(labels)] == labels


def test_many_groups_are_limited_and_few_users_noted(fold: Fold) -> None:
    n = 60
    made = make_fold([[0]] * n, 2, {user: [1] for user in range(n)})
    codes = [f"z{min(user, 30):02}" for user in range(n)]
    made = replace(made, user_features=pl.DataFrame({"zip": codes}))
    groups = grouped(made, [[1]] * n, "zip")
    assert len(groups.sizes) == 20
    assert groups.sizes["z30"] == 30
    assert groups.notes == (
        "evaluation.by=zip: 31 groups; the 20 with the most users are shown",
        "evaluation.by=zip: fewer than 20 users in 19 of 20 groups (z00, z01, z02, z03, z04, ...), "
        "whose values are uncertain",
    )


def test_groups_with_one_name_in_mlflow_are_numbered(fold: Fold) -> None:
    users = pl.DataFrame({"job": ["a/b", "a_b", "..", None]})
    logged = grouped(replace(fold, user_features=users), [[2], [0], [0], []], "job").logged("val")
    names = {name.rpartition("/")[0] for name in logged}
    assert names == {"val/by_job/a_b", "val/by_job/a_b 2", "val/by_job/__", "val/by_job/missing"}


@pytest.mark.parametrize(
    ("by", "message"),
    [
        (
            "sex",
            "evaluation.by: got 'sex', but there is no such feature; Valid: age, gender, genres",
        ),
        ("age", "got 'age', but both users and items have it; Valid: item.age, user.age"),
    ],
)
def test_a_feature_that_is_not_there_is_refused(fold: Fold, by: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        grouped(fold, [[2], [0], [0], []], by)
    assert message in str(error.value)
    assert grouped(fold, [[2], [0], [0], []], "user.age").feature.kind == "user"


def test_vectors_form_no_groups(fold: Fold) -> None:
    vectors = pl.DataFrame({"image": [[0.5]] * 4})
    with pytest.raises(
        ConfigError, match=r"a column of List\(Float64\); must have numbers, strings"
    ):
        grouped(replace(fold, user_features=vectors), [[2], [0], [0], []], "image")


def test_a_run_prints_and_logs_them(
    small: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    result = twotower.run([*small, "evaluation.by=[segment,category]"])
    print_result(result, [])
    printed = capsys.readouterr().out
    assert "by segment (users)" in printed
    assert "by category (relevant pairs)" in printed
    assert result.test is not None
    name = next(name for name in result.metrics if name.startswith("test/by_segment/"))
    means = result.test.groups[0]
    total = sum(size * means.values[g]["ndcg_at_10"] for g, size in means.sizes.items())
    assert total / 60 == pytest.approx(result.metrics["test/ndcg_at_10"])
    output = next(each.partition("=")[2] for each in small if each.startswith("output_dir="))
    assert result.run_id is not None
    client = MlflowClient(f"sqlite:///{output}/mlflow.db")
    assert client.get_run(result.run_id).data.metrics[name] == result.metrics[name]


def test_a_wrong_feature_stops_a_run_before_training(untracked: list[str]) -> None:
    with pytest.raises(
        ConfigError, match=r"evaluation\.by: got 'segmnt', but .* did you mean 'seg"
    ):
        twotower.run([*untracked, "evaluation.by=segmnt"])
