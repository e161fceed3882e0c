"""Each check on a log with one fault planted in it, counted by hand."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import polars as pl
import pytest

from twotower.config import build, compose
from twotower.core.errors import DataError
from twotower.diagnosis import Diagnosis, diagnose
from twotower.running.experiment import Experiment
from twotower.types import Interactions

START = dt.datetime(2024, 1, 1)
N_USERS, N_ITEMS, EACH = 120, 30, 10


@dataclass(frozen=True)
class Given:
    """A dataset of a plug-in."""

    interactions: Interactions

    def load(self) -> Interactions:
        """See Dataset."""
        return self.interactions


@dataclass(frozen=True)
class Unreadable:
    def load(self) -> Interactions:
        """See Dataset."""
        raise DataError("log.csv, row 7: no readable timestamp")


@cache
def experiment(*overrides: str) -> Experiment:
    made: Experiment = build(compose("train", ["preprocessing=none", "tracking=none", *overrides]))
    return made


def log(changed: dict[int, dict[str, Any]] | None = None, n_users: int = N_USERS) -> pl.DataFrame:
    """User u takes items u, u + 1, ... u + 9 (mod 30), an hour apart, each user a day later.

    Args:
        changed: New values of rows, by row number; user u has the rows 10u to 10u + 9.
        n_users: Number of users.
    """
    rows = [
        {
            "user_id": user,
            "item_id": (user + place) % N_ITEMS,
            "timestamp": START + dt.timedelta(days=user, hours=place),
        }
        for user in range(n_users)
        for place in range(EACH)
    ]
    for row, values in (changed or {}).items():
        rows[row].update(values)
    return pl.DataFrame(rows, schema_overrides={"timestamp": pl.Datetime("us")})


def examine(
    frame: pl.DataFrame,
    *overrides: str,
    test: pl.DataFrame | None = None,
    users: pl.DataFrame | None = None,
    items: pl.DataFrame | None = None,
) -> Diagnosis:
    if "timestamp" in frame.columns:
        frame = frame.sort("timestamp", maintain_order=True)
    interactions = Interactions(frame, users, items, test, "made up", "0")
    planned = experiment(*(overrides or ("split=last_n",)))
    return diagnose(replace(planned, dataset=Given(interactions)))


def only(diagnosis: Diagnosis, *checks: str) -> None:
    """Assert that nothing else is wrong."""
    wrong = [finding.check for finding in (*diagnosis.errors, *diagnosis.warnings)]
    assert wrong == list(checks)


def test_a_log_without_faults_has_no_finding() -> None:
    diagnosis = examine(log())
    only(diagnosis)
    assert diagnosis.ok
    # 1,200 of 120 x 30 = 3,600 pairs.
    assert diagnosis["size"].found == (
        "1,200 interactions of 120 users with 30 items, 10.0 per user, 33.33% of all pairs"
    )
    assert diagnosis.facts == {
        **{"interactions": 1200, "users": 120, "items": 30},
        **{"kept": 1200, "train": 1080},
    }
    # Each item has 40 interactions.
    assert diagnosis["popularity"].found.startswith("Gini 0.00; the top 1% of the items have 3.3%")
    assert diagnosis["judged, test"].found == "120 of 120 (100.0%) users, 120 pairs"
    assert diagnosis.to_frame()["status"].unique().to_list() == ["ok"]


def test_a_file_that_is_counted_twice() -> None:
    diagnosis = examine(pl.concat([log(), log()]))
    only(diagnosis, "repeats")
    finding = diagnosis["repeats"]
    assert finding.found.startswith(
        "1,200 of 2,400 (50.0%) interactions repeat a (user, item) pair"
    )
    assert finding.found.endswith("1,200 of them its time, too")
    assert "dataset.path" in finding.remedy


def test_repeats_that_are_kept_and_can_never_be_hit() -> None:
    # The last item of user 0, which is held out, is its first one, too.
    diagnosis = examine(log({9: {"item_id": 0}}), "split=last_n", "preprocessing.duplicates=keep")
    only(diagnosis, "repeats", "overlap, test")
    assert diagnosis["repeats"].found == "1 of 1,200 (0.1%) interactions repeat a (user, item) pair"
    assert diagnosis["overlap, test"].found.startswith("1 of 120 (0.8%) held-out pairs are in")
    assert diagnosis["overlap, test"].remedy.startswith("evaluation.drop_seen=false")


def test_times_in_a_wrong_unit() -> None:
    seconds = log().with_columns(
        timestamp=START + (pl.col("timestamp") - START) / 1000  # milliseconds read as such
    )
    diagnosis = examine(seconds.cast({"timestamp": pl.Datetime("us")}))
    only(diagnosis, "times")
    assert "dataset.timestamp_unit" in diagnosis["times"].remedy


def test_a_single_moment_is_an_error_of_a_split_by_time() -> None:
    same = log().with_columns(timestamp=pl.lit(START).cast(pl.Datetime("us")))
    assert examine(same)["times"].status == "error"
    assert examine(same, "split=random")["times"].status == "warning"


def test_a_default_for_unknown_times() -> None:
    # 10 of the 120 users: 100 of 1,200 rows, and each ties with 9 others of its user.
    unknown = {row: {"timestamp": START} for row in range(100)}
    diagnosis = examine(log(unknown))
    assert "100 of 1,200 (8.3%) interactions are of one moment" in diagnosis["times"].found
    assert diagnosis["ties"].found.startswith("100 of 1,200 (8.3%)")


def test_times_in_the_future() -> None:
    diagnosis = examine(log({5: {"timestamp": dt.datetime(2261, 1, 1)}}))
    only(diagnosis, "times")
    assert "1 of 1,200 (0.1%) are later than now" in diagnosis["times"].found


def test_dates_without_a_time_of_day_tie() -> None:
    days = log().with_columns(pl.col("timestamp").dt.truncate("1d"))
    diagnosis = examine(days)
    only(diagnosis, "ties")
    assert diagnosis["ties"].found.startswith("1,200 of 1,200 (100.0%)")
    assert "dataset.order=file" in diagnosis["ties"].remedy


def test_a_split_at_random_trains_on_the_future() -> None:
    for name in ("time order, validation", "time order, test"):
        assert examine(log(), "split=random")[name].status == "warning"
    assert examine(log())["time order, test"].found.startswith("0 of 120 (0.0%) users")


def test_a_given_test_part_that_is_in_train_and_before_it() -> None:
    # Of the first 10 users: their first rows, which come before all others of theirs.
    test = log().filter(pl.col("timestamp").dt.hour() == 0, pl.col("user_id") < 10)
    diagnosis = examine(log(), "split=given", "split.drop_repeats=false", test=test)
    assert diagnosis["overlap, test"].status == "error"
    assert diagnosis["overlap, test"].found.startswith("10 of 10 (100.0%) held-out pairs")
    assert diagnosis["time order, test"].found.startswith("10 of 10 (100.0%) users have train")
    assert diagnosis["judged, test"].status == "warning"


def test_a_published_split_without_times() -> None:
    # Gowalla's way: a log and a test part of pairs alone.
    pairs = log().drop("timestamp").with_row_index("row")
    held = pairs.filter(pl.col("row") % EACH == 9).drop("row")
    rest = pairs.filter(pl.col("row") % EACH < 9).drop("row")
    diagnosis = examine(rest, "split=given", test=held)
    only(diagnosis)
    assert diagnosis["time order"].found == "not known: the log has no timestamps"
    assert diagnosis["overlap, test"].found.startswith("0 of 120 (0.0%)")


def test_ids_of_the_test_part_that_the_log_lacks() -> None:
    pairs = log().drop("timestamp")
    other = pairs.head(100).with_columns(pl.col("item_id") + 1000)
    diagnosis = examine(pairs, "split=given", test=other)
    finding = diagnosis["cold items, test"]
    assert finding.status == "error"
    assert finding.found == "100 of 100 (100.0%) held-out pairs are of cold items"


def test_cold_items_are_counted_before_they_are_dropped() -> None:
    # The last item of users 0 to 59 is one that nobody else has: half of the held-out pairs.
    cold = {10 * user + 9: {"item_id": 1000 + user} for user in range(60)}
    diagnosis = examine(log(cold))
    only(diagnosis, "cold items, test", "judged, test")
    assert (
        diagnosis["cold items, test"].found == "60 of 120 (50.0%) held-out pairs are of cold items"
    )
    assert diagnosis["judged, test"].found == "60 of 120 (50.0%) users, 60 pairs"


def test_users_who_have_seen_everything() -> None:
    # User 0 takes 25 of the 30 items: with 24 of them in train, fewer than 10 are left.
    more = pl.DataFrame(
        {
            "user_id": [0] * 15,
            "item_id": range(10, 25),
            "timestamp": [START + dt.timedelta(days=-1, minutes=n) for n in range(15)],
        },
        schema_overrides={"timestamp": pl.Datetime("us")},
    )
    diagnosis = examine(pl.concat([log(), more]))
    only(diagnosis, "seen everything")
    assert diagnosis["seen everything"].found == (
        "1 of 120 (0.8%) users of test have fewer than 10 unseen items"
    )


def test_lists_that_hold_every_item() -> None:
    diagnosis = examine(log(), "split=last_n", "evaluation.k=30")
    assert [finding.check for finding in diagnosis.errors] == ["size"]
    assert "evaluation.k below 30" in diagnosis["size"].remedy


def test_one_item_that_has_most_interactions() -> None:
    # 200 items of one interaction each, and one that 250 users have: of 201 items the first two
    # have 251 of 450 interactions.
    users = [*range(250), *range(200)]
    items = [0] * 250 + list(range(1, 201))
    times = [START + dt.timedelta(hours=n) for n in range(450)]
    skewed = pl.DataFrame(
        {"user_id": users, "item_id": items, "timestamp": times},
        schema_overrides={"timestamp": pl.Datetime("us")},
    )
    diagnosis = examine(skewed, "split=time")
    assert diagnosis["popularity"].status == "warning"
    assert "the top 1% of the items have 55.8%" in diagnosis["popularity"].found


def test_features_of_other_ids() -> None:
    users = pl.DataFrame({"user_id": range(90), "age": range(90)})  # of 120
    items = pl.DataFrame({"item_id": range(1000, 1030), "color": ["red"] * 30})
    diagnosis = examine(log(), users=users, items=items)
    assert diagnosis["users' features"].found == "30 of 120 (25.0%) users have no row of features"
    assert diagnosis["users' features"].status == "warning"
    assert diagnosis["items' features"].status == "error"
    assert "such as 0; features are of 1000" in diagnosis["items' features"].found


def test_users_of_one_interaction() -> None:
    single = log().filter((pl.col("user_id") < 50) | (pl.col("timestamp").dt.hour() == 0))
    diagnosis = examine(single)
    # 70 users have one interaction, 50 have 10.
    assert diagnosis["histories"].found == (
        "1 interactions per user in the median, 1 to 10; 70 of 120 (58.3%) users have one"
    )
    assert diagnosis["histories"].status == "warning"


def test_filters_that_leave_little_or_nothing() -> None:
    drop = "{_target_: replay.preprocessing.filters.MinCountFilter, num_entries: %d}"
    filters = "preprocessing.filters=[" + drop + "]"
    # Users of rows 600 on lose all but two interactions, and then all: 600 of 720 rows are left.
    some = log().filter((pl.col("user_id") < 20) | (pl.col("timestamp").dt.hour() < 4))
    assert len(some) == 20 * 10 + 100 * 4
    diagnosis = examine(some, "split=last_n", filters % 5)
    assert diagnosis["filters"].found == "preprocessing drops 400 of 600 (66.7%) interactions"
    assert diagnosis["filters"].status == "warning"
    nothing = examine(log(), "split=last_n", filters % 11)
    assert [finding.check for finding in nothing.findings] == ["split"]
    assert "leaves nothing of the log" in nothing["split"].found


def test_data_that_cannot_be_read_or_split_is_a_finding() -> None:
    diagnosis = diagnose(replace(experiment("split=last_n"), dataset=Unreadable()))
    assert diagnosis["read"].found == "log.csv, row 7: no readable timestamp"
    assert not diagnosis.ok
    untimed = examine(log().drop("timestamp"))
    assert "orders interactions by time" in untimed["split"].found


def test_a_split_by_time_of_users_who_do_not_come_again() -> None:
    # Users come one after the other: whoever is held out is not in train, but for one user whose
    # interactions the end of train parts.
    diagnosis = examine(log(), "split=time")
    assert diagnosis["cold users, test"].status == "error"
    assert diagnosis["cold users, test"].remedy.startswith("split.drop_cold_users=false")


@pytest.mark.parametrize("choice", ["ratio", "cold_item", "k_folds", "cold_user"])
def test_other_splits_are_examined(choice: str) -> None:
    assert "overlap, test" in {
        finding.check for finding in examine(log(), f"split={choice}").findings
    }
