"""Each choice of split on logs small enough to do by hand, and what it refuses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from twotower.config.check import check
from twotower.core.errors import ConfigError, DataError
from twotower.split.base import TIMELESS_CHOICES, Parts, Split

CONF = Path(__file__).parents[2] / "conf"
START = datetime(2024, 1, 1)
KEEP_COLD = {"drop_cold_users": False, "drop_cold_items": False}


def make_log(*rows: tuple[Any, Any, int]) -> pl.DataFrame:
    """Rows of (user, item, seconds after the start of 2024)."""
    return pl.DataFrame(
        {
            "user_id": [row[0] for row in rows],
            "item_id": [row[1] for row in rows],
            "timestamp": [START + timedelta(seconds=row[2]) for row in rows],
        },
        schema_overrides={"timestamp": pl.Datetime("us")},
    )


def load_split(choice: str, **keys: Any) -> Split:
    """The choice of `conf/split`, some of its keys changed."""
    node = OmegaConf.merge(OmegaConf.load(CONF / "split" / f"{choice}.yaml"), keys)
    split: Split = instantiate(node, _convert_="all")
    return split


def pairs(log: pl.DataFrame | None) -> list[tuple[Any, Any]]:
    assert log is not None
    return list(log.select("user_id", "item_id").iter_rows())


def text(rows: Iterable[tuple[Any, Any]]) -> str:
    """Pairs of one-letter users and items as `ax ay bx`."""
    return " ".join(f"{user}{item}" for user, item in rows)


# Each of a, b, c meets items v, w, x, y, z, in that order, all within a second.
FIVE_EACH = make_log(*((u, i, 3 * k) for k, i in enumerate("vwxyz") for u in "abc"))


def split(log: pl.DataFrame, choice: str, **keys: Any) -> Parts:
    return load_split(choice, **keys).split(log, None, [])


def parts_of(log: pl.DataFrame, choice: str, **keys: Any) -> tuple[str, str, str]:
    """(train, validation, test) with cold users and items kept, as text."""
    parts = split(log, choice, **KEEP_COLD, **keys)
    return text(pairs(parts.train)), text(pairs(parts.validation)), text(pairs(parts.test))


def test_last_n_takes_the_end_of_each_user() -> None:
    assert parts_of(FIVE_EACH, "last_n", n=1) == (
        "av bv cv aw bw cw ax bx cx",
        "ay by cy",
        "az bz cz",
    )


def test_last_n_by_timedelta_takes_the_last_seconds_of_each_user() -> None:
    # a: 0 10 20 30, b: 100. Less than 15 s before the last: a's 20 and 30, b's 100. Of what is
    # left (0 and 10) both lie less than 15 s before 10.
    log = make_log(("a", "v", 0), ("a", "w", 10), ("a", "x", 20), ("a", "y", 30), ("b", "z", 100))
    keys = {"n": 15, "strategy": "timedelta", "validation": False, **KEEP_COLD}
    parts = split(log, "last_n", **keys)
    assert text(pairs(parts.train)) == "av aw"
    assert text(pairs(parts.test)) == "ax ay bz"


def test_ratio_takes_a_share_of_each_user() -> None:
    # 0.4 of 5 is 2; 0.4 of the 3 that are left is 1.2: row 2 of 3 is past 0.6, so 2 are held out.
    assert parts_of(FIVE_EACH, "ratio", test_size=0.4) == (
        "av bv cv",
        "aw bw cw ax bx cx",
        "ay by cy az bz cz",
    )


def test_ratio_leaves_users_with_few_interactions_whole() -> None:
    log = make_log(*(("a", i, k) for k, i in enumerate("vwxyz")), ("b", "v", 9))
    keys = {"test_size": 0.2, "min_interactions_per_user": 2, "validation": False}
    parts = split(log, "ratio", **keys, **KEEP_COLD)
    assert text(pairs(parts.train)) == "av aw ax ay bv"
    assert text(pairs(parts.test)) == "az"


def test_random_takes_a_share_of_all_rows() -> None:
    # RePlay keeps int(15 x 0.8) + 1 = 13 of 15, then int(13 x 0.8) + 1 = 11 of 13.
    parts = split(FIVE_EACH, "random", **KEEP_COLD)
    assert parts.validation is not None
    assert [len(p) for p in (parts.train, parts.validation, parts.test)] == [11, 2, 2]


def test_random_next_n_takes_what_follows_a_cut() -> None:
    log = make_log(*((u, i, i) for i in range(8) for u in range(50)))
    parts = split(log, "random_next_n", n=2, validation=False, **KEEP_COLD)
    for user in range(50):
        before = parts.train.filter(user_id=user)["item_id"].to_list()
        after = parts.test.filter(user_id=user)["item_id"].to_list()
        cut = len(before)
        assert before == list(range(cut))
        assert after == list(range(cut, min(cut + 2, 8)))
    cuts = Counter(parts.train["user_id"].to_list()).values()
    assert len(set(cuts)) > 3  # the place of the cut is drawn for each user


def test_random_next_n_without_n_takes_all_that_follows() -> None:
    parts = split(FIVE_EACH, "random_next_n", n=None, validation=False, **KEEP_COLD)
    assert len(parts.train) + len(parts.test) == len(FIVE_EACH)


def test_cold_user_takes_whole_users() -> None:
    log = make_log(*((u, i, i) for u in range(25) for i in range(3)))
    parts = split(log, "cold_user")
    assert parts.validation is not None
    users = [set(p["user_id"]) for p in (parts.train, parts.validation, parts.test)]
    # 0.2 of 25 users are 5, 0.2 of the 20 left are 4; each with all of its 3 rows.
    assert [len(u) for u in users] == [16, 4, 5]
    assert len(set.union(*users)) == 25
    assert [len(p) for p in (parts.train, parts.validation, parts.test)] == [48, 12, 15]


def test_cold_user_makes_a_share_of_each_held_out_history_known() -> None:
    log = make_log(*((u, i, 10 * i + u) for u in range(10) for i in range(5)))
    log = log.sort("timestamp")
    steps: list[str] = []
    parts = load_split("cold_user", known=0.5).split(log, None, steps)
    # 0.2 of 10 users are 2, 0.2 of the 8 left 1.6, rounded up 2. Half of 5 is 2 rounded down:
    # items 0 and 1 are known, 2 3 4 are ground truth.
    for known, truth in (
        (parts.validation_known, parts.validation),
        (parts.test_known, parts.test),
    ):
        assert known is not None
        assert truth is not None
        assert (len(known), len(truth)) == (4, 6)
        assert set(known["user_id"]) == set(truth["user_id"])
        assert known["item_id"].to_list() == [0, 0, 1, 1]
        assert truth["item_id"].to_list() == [2, 2, 3, 3, 4, 4]
    assert "test: 4 of 10 interactions are known at evaluation time, 6 are ground truth" in steps
    assert (
        "validation: 4 of 10 interactions are known at evaluation time, 6 are ground truth" in steps
    )
    # History is the 8 users that are not of test, with all 5 that each did.
    assert len(parts.train) == 30
    assert len(parts.history) == 40


def test_new_users_are_folded_in_by_time() -> None:
    # First seen: a 0, b 1, c 2, d 10, e 11. The last two fifths are d and e: 0.7 of d's 3 is 2.1,
    # its x and y; 0.7 of e's 1 is 0.7, so it keeps its one row to be judged by.
    log = make_log(
        ("a", "x", 0), ("b", "y", 1), ("c", "z", 2),
        ("d", "x", 10), ("e", "x", 11), ("d", "y", 12), ("d", "z", 13),
    )  # fmt: skip
    parts = split(log, "new_users", test_size=0.4, known=0.7, validation=False)
    assert text(pairs(parts.train)) == "ax by cz"
    assert text(pairs(parts.test_known)) == "dx dy"
    assert text(pairs(parts.test)) == "ex dz"
    assert parts.validation_known is None


@pytest.mark.parametrize("choice", ["cold_user", "new_users"])
def test_without_known_rows_there_is_no_known_part(choice: str) -> None:
    log = make_log(*((u, "x", u) for u in range(25)))
    steps: list[str] = []
    parts = load_split(choice).split(log, None, steps)
    assert parts.validation_known is None
    assert parts.test_known is None
    assert not [step for step in steps if "known at evaluation" in step]
    # Of one interaction each, none can be known: 0.9 x 1 is rounded down.
    parts = load_split(choice, known=0.9).split(log, None, steps)
    assert parts.test_known is None
    assert "test: 0 of 5 interactions are known at evaluation time, 5 are ground truth" in steps


def test_known_rows_may_be_cold_to_train() -> None:
    # d is the last to come. Its older row is of an item that train lacks: known all the same, and
    # the share is of all that d did.
    log = make_log(("a", "x", 0), ("b", "x", 1), ("c", "x", 2), ("d", "q", 3), ("d", "x", 4))
    parts = split(log, "new_users", test_size=0.25, known=0.5, validation=False)
    assert text(pairs(parts.test_known)) == "dq"
    assert text(pairs(parts.test)) == "dx"


@pytest.mark.parametrize("choice", ["cold_user", "new_users"])
@pytest.mark.parametrize("known", [-0.1, 1.0])
def test_the_known_share_is_at_least_0_and_below_1(choice: str, known: float) -> None:
    node = {**OmegaConf.load(CONF / "split" / f"{choice}.yaml"), "known": known}
    with pytest.raises(ConfigError, match=f"split.known: got {known}; input should be"):
        check(node, path="split")
    check(node | {"known": 0.8}, path="split")


def test_cold_item_takes_whole_items() -> None:
    log = make_log(*((u, i, i) for i in range(25) for u in range(3)))
    parts = split(log, "cold_item")
    assert parts.validation is not None
    items = [set(p["item_id"]) for p in (parts.train, parts.validation, parts.test)]
    # 0.2 of 25 items are 5, 0.2 of the 20 left are 4; each with all of its 3 rows.
    assert [len(i) for i in items] == [16, 4, 5]
    assert len(set.union(*items)) == 25
    assert [len(p) for p in (parts.train, parts.validation, parts.test)] == [48, 12, 15]
    assert len(parts.history) == 60


def test_cold_item_drops_users_that_did_nothing_else() -> None:
    # Users 0 to 9 have met all ten items; each item has one user more, who met nothing else.
    log = make_log(
        *((f"u{user}", item, 0) for user in range(10) for item in range(10)),
        *((f"only{item}", item, 1) for item in range(10)),
    )
    parts = split(log, "cold_item", validation=False)
    assert len(parts.test) == 20  # 2 items, 10 users each
    assert not [user for user in parts.test["user_id"] if user.startswith("only")]
    kept = split(log, "cold_item", validation=False, drop_cold_users=False)
    assert len(kept.test) == 22


def test_cold_items_that_drop_are_reported() -> None:
    log = make_log(*((u, i, i) for i in range(10) for u in range(3)))
    with pytest.raises(DataError) as error:
        split(log, "cold_item", drop_cold_items=True)
    assert "split.drop_cold_items=True" in str(error.value)
    assert "leaves the test part empty" in str(error.value)
    assert "test: 6 interactions of cold items drop" in str(error.value)


def test_the_draw_of_cold_items_is_pinned() -> None:
    # numpy's generator of seed 0 shuffles 0 to 9 into 4 6 2 7 ...; the first 0.2 of 10 are held
    # out. A release that draws otherwise would give other parts for the same config.
    log = make_log(*((u, i, i) for i in range(10) for u in range(2)))
    assert sorted(set(split(log, "cold_item").test["item_id"])) == [4, 6]


def test_new_users_takes_the_last_to_come_and_leaves_out_what_others_did_then() -> None:
    # First seen: a 0, b 1, c 2, d 3, e 10. The last fifth of five is e; a's row at 20 is neither.
    log = make_log(
        ("a", "x", 0), ("b", "x", 1), ("c", "x", 2), ("d", "x", 3), ("e", "x", 10), ("a", "y", 20)
    )  # fmt: skip
    parts = split(log, "new_users", validation=False)
    assert text(pairs(parts.train)) == "ax bx cx dx"
    assert text(pairs(parts.test)) == "ex"


# Which rows share a fold depends on the version of Polars, and an item may be cold in one of them.
KEEP_COLD = {"drop_cold_users": False, "drop_cold_items": False}


def test_k_folds_hold_each_row_out_once() -> None:
    folds = [
        pairs(split(FIVE_EACH, "k_folds", n_folds=5, fold=f, validation=False, **KEEP_COLD).test)
        for f in range(5)
    ]
    assert [len(fold) for fold in folds] == [3, 3, 3, 3, 3]  # one row of each user
    assert sorted(row for fold in folds for row in fold) == sorted(pairs(FIVE_EACH))


def test_given_takes_the_datasets_own_test_part() -> None:
    test = make_log(("a", "q", 99), ("a", "v", 99), ("q", "v", 99))
    parts = load_split("given", validation=False).split(FIVE_EACH, test, [])
    assert pairs(parts.train) == pairs(FIVE_EACH)
    assert text(pairs(parts.test)) == "av"  # item q and user q are cold


def test_given_cuts_validation_by_time_or_at_random() -> None:
    test = make_log(("a", "v", 99))
    log = pl.concat([FIVE_EACH, make_log(("d", "v", 99))])  # d's one interaction stays in train
    newest = load_split("given", validation_order="time", validation_size=0.2, **KEEP_COLD)
    parts = newest.split(log, test, [])
    assert text(pairs(parts.validation)) == "az bz cz"
    assert len(parts.train) == 13
    drawn = set()
    for seed in range(5):
        drawn_by = load_split("given", validation_size=0.2, seed=seed, **KEEP_COLD)
        parts = drawn_by.split(log, test, [])
        assert parts.validation is not None
        assert parts.validation["user_id"].sort().to_list() == ["a", "b", "c"]
        drawn.add(text(pairs(parts.validation)))
    assert len(drawn) > 1


@pytest.mark.parametrize("choice", ["random", "random_next_n", "cold_user", "cold_item", "k_folds"])
def test_a_seed_gives_one_draw_and_another_seed_another(choice: str) -> None:
    log = make_log(*((f"u{u}", i, i) for i in range(6) for u in range(40)))
    tests = [pairs(split(log, choice, seed=seed).test) for seed in (3, 3, 4)]
    assert tests[0] == tests[1]
    assert tests[0] != tests[2]


def test_validation_is_cold_to_train_and_test_to_all_before_it() -> None:
    # Leave-one-out: a meets y for the first time in validation and b in test.
    log = make_log(("a", "x", 0), ("b", "x", 1), ("b", "z", 2), ("a", "z", 3))
    log = pl.concat([log, make_log(("a", "y", 4), ("b", "w", 5), ("a", "w", 6), ("b", "y", 7))])
    # a: x z y w, b: x z w y. Train x z; validation: a y (cold), b w (cold).
    with pytest.raises(DataError, match="leaves the validation part empty"):
        split(log, "last_n")
    # Test a w, b y: neither item is in train, both are before the test part, so both stay.
    parts = split(log, "last_n", drop_cold_items=False)
    assert text(pairs(parts.test)) == "aw by"
    parts = split(log, "last_n", validation=False)
    assert text(pairs(parts.test)) == "aw by"
    assert text(pairs(parts.history)) == "ax bx bz az ay bw"


def test_a_split_by_time_without_timestamps_names_the_key_and_the_others() -> None:
    log = FIVE_EACH.drop("timestamp")
    for choice in ("time", "last_n", "ratio", "random_next_n", "new_users"):
        with pytest.raises(DataError) as error:
            split(log, choice)
        message = str(error.value)
        assert message.startswith(f"split={choice} (split.validation=True, ")
        assert (
            "orders interactions by time, and the log has no timestamps, only ['user_id',"
            " 'item_id']. Set dataset.columns.timestamp, or dataset.order=file if its lines are"
            " in order of time, or take a split that needs no time:"
            " random, cold_user, cold_item, k_folds, given." in message
        )


@pytest.mark.parametrize("choice", TIMELESS_CHOICES)
def test_the_others_do_without_timestamps(choice: str) -> None:
    log = make_log(*((u, i, 0) for u in range(10) for i in range(10))).drop("timestamp")
    given = log.head(3) if choice == "given" else None
    parts = load_split(choice).split(log, given, [])
    assert parts.validation is not None
    assert not parts.validation.is_empty()


def test_an_empty_part_is_named_with_the_keys_and_the_rows_of_each_step() -> None:
    log = make_log(("a", "x", 0), ("b", "y", 1))
    with pytest.raises(DataError) as error:
        split(log, "time", test_size=0.5)
    assert str(error.value) == (
        "split=time (split.validation=True, split.drop_cold_users=True,"
        " split.drop_cold_items=True, split.test_size=0.5, split.test_start=None,"
        " split.validation_start=None) leaves the test part empty. So far: 2 interactions: 1"
        " before test, 1 test; test: 1 interactions of cold users drop. Change these keys of"
        " split, or the filters of preprocessing."
    )
    with pytest.raises(DataError, match="leaves the train part empty"):
        split(log, "last_n")


def test_a_test_part_of_the_dataset_is_never_ignored() -> None:
    with pytest.raises(DataError) as error:
        load_split("random").split(FIVE_EACH, FIVE_EACH.head(2), [])
    assert (
        "would ignore the test part that the dataset comes with (2 interactions)."
        " Use split=given, or a dataset without one." in str(error.value)
    )


def test_given_without_a_test_part_is_reported() -> None:
    with pytest.raises(DataError, match="needs a dataset that comes with a test part"):
        split(FIVE_EACH, "given")


def test_a_fold_beyond_the_last_is_refused() -> None:
    with pytest.raises(InstantiationException) as error:
        load_split("k_folds", n_folds=3, fold=3)
    assert isinstance(error.value.__cause__, ConfigError)
    assert str(error.value.__cause__) == "fold: got 3, with n_folds=3; must be from 0 to 2"


def test_every_choice_has_a_test_here() -> None:
    assert {path.stem for path in (CONF / "split").glob("*.yaml")} == {
        *("time", "last_n", "ratio", "random", "random_next_n", "cold_user", "new_users"),
        *("cold_item", "k_folds", "given"),
    }
