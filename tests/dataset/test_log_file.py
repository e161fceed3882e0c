"""A user's own log: formats, ids, features, and what is said of each kind of bad input."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from twotower.core.errors import ConfigError, DataError
from twotower.dataset.file import LogFile
from twotower.dataset.mapping import Columns
from twotower.types import Interactions

CSV = "who,what,when,stars,note\nann,7,2,4.5,x\nbob,8,1,3,y\n"
AT = [1, 2]


def log_file(path: Path, **changes: Any) -> LogFile:
    columns: Columns = {
        "user": "who",
        "item": "what",
        "timestamp": "when",
        "rating": "stars",
        "weight": None,
    }
    values: dict[str, Any] = {
        "path": str(path),
        "test_path": None,
        "users_path": None,
        "items_path": None,
        "columns": columns | changes.pop("columns", {}),
        "title": None,
        "lists": {},
        "users_vectors": {},
        "items_vectors": {},
        "separator": None,
        "header": True,
        "quote": '"',
        "encoding": "utf-8",
        "timestamp_unit": "order",
        "order": "time",
        "timestamp_format": None,
        "streaming": False,
    }
    return LogFile(**(values | changes))


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def load(path: Path, text: str, **changes: Any) -> Interactions:
    return log_file(write(path, text), **changes).load()


def refusal(path: Path, text: str, **changes: Any) -> str:
    """The message that a file with this text is refused with."""
    with pytest.raises(DataError) as error:
        load(path, text, **changes)
    return str(error.value)


def test_maps_columns_and_orders_by_time(tmp_path: Path) -> None:
    data = load(tmp_path / "log.csv", CSV)
    assert data.log.columns == ["user_id", "item_id", "rating", "timestamp"]
    assert data.log.rows() == [("bob", 8, 3.0, AT[0]), ("ann", 7, 4.5, AT[1])]
    assert (data.users, data.items, data.test) == (None, None, None)
    assert data.origin == f"{tmp_path}/log.csv"


def test_the_same_log_in_any_format_has_the_same_digest(tmp_path: Path) -> None:
    expected = load(tmp_path / "log.csv", CSV)
    frame = pl.DataFrame(
        {"who": ["bob", "ann"], "what": [8, 7], "when": [1, 2], "stars": [3.0, 4.5]},
        schema_overrides={"what": pl.Int32},
    )
    frame.write_parquet(tmp_path / "log.parquet")
    parts = tmp_path / "parts" / "day=1"
    parts.mkdir(parents=True)
    frame[:1].write_parquet(parts / "b.parquet")
    frame[1:].write_parquet(parts / "a.parquet")
    (tmp_path / "log.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    write(tmp_path / "log.tsv", CSV.replace(",", "\t"))
    for name in ("log.parquet", "parts", "log.csv.gz", "log.tsv"):
        data = log_file(tmp_path / name).load()
        assert data.log.equals(expected.log), name
        assert data.digest == expected.digest, name
    data = load(tmp_path / "log.txt", CSV.replace(",", ";"), separator=";")
    assert data.digest == expected.digest


def test_time_and_rating_are_optional(tmp_path: Path) -> None:
    data = load(tmp_path / "log.csv", CSV, columns={"timestamp": None, "rating": None})
    assert data.log.rows() == [("ann", 7), ("bob", 8)]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["10", "9"], [9, 10]),
        (["007", "7"], ["007", "7"]),
        (["1.0", "2"], [1, 2]),
        (["123456789012345678901234", "2"], ["123456789012345678901234", "2"]),
        (["-5", "0"], [-5, 0]),
    ],
)
def test_text_ids_are_integers_only_where_nothing_is_lost(
    tmp_path: Path, ids: list[str], expected: list[object]
) -> None:
    text = "who,what,when,stars\n" + "".join(f"{i},1,1,1\n" for i in ids)
    assert load(tmp_path / "log.csv", text).log["user_id"].to_list() == expected


def test_parquet_ids_keep_their_type(tmp_path: Path) -> None:
    frame = pl.DataFrame({"who": ["1", "2"], "what": [3.0, 4.0], "when": [1, 2], "stars": [1, 1]})
    frame.write_parquet(tmp_path / "log.parquet")
    log = log_file(tmp_path / "log.parquet").load().log
    assert log["user_id"].to_list() == ["1", "2"]
    assert log["item_id"].to_list() == [3, 4]
    assert log["item_id"].dtype == pl.Int64


def test_features_and_test_part(tmp_path: Path) -> None:
    data = load(
        tmp_path / "log.csv",
        CSV,
        test_path=str(write(tmp_path / "test.csv", "who,what,when,stars\nann,x9,3,1\n")),
        users_path=str(write(tmp_path / "users.csv", "age,who,zip\n31,bob,02138\n,ann,9021\n")),
        items_path=str(
            write(tmp_path / "items.tsv", "what\tname\tprice\n8\tUp\t1.5\n7\tJaws\t2\n")
        ),
        title="name",
    )
    # The test part has an item "x9": item ids are strings everywhere.
    assert data.log["item_id"].to_list() == ["8", "7"]
    assert data.test is not None
    assert data.test["item_id"].to_list() == ["x9"]
    assert data.users is not None
    assert data.users.rows() == [("ann", None, "9021"), ("bob", 31, "02138")]
    assert data.users.columns == ["user_id", "age", "zip"]
    assert data.items is not None
    assert data.items.rows() == [("7", "Jaws", 2.0, "Jaws"), ("8", "Up", 1.5, "Up")]
    assert data.items.columns == ["item_id", "name", "price", "title"]
    assert data.origin == f"{tmp_path}/log.csv and {tmp_path}/test.csv"


def test_a_feature_may_be_called_like_the_other_id(tmp_path: Path) -> None:
    items = write(tmp_path / "items.csv", "what,user_id\n7,31\n")
    data = load(tmp_path / "log.csv", CSV, items_path=str(items))
    assert data.items is not None
    assert data.items.rows() == [(7, 31)]


def test_missing_numbers_of_pandas_are_nulls(tmp_path: Path) -> None:
    users = pl.DataFrame({"who": ["ann", "bob"], "age": [float("nan"), 2.0]})
    users.write_parquet(tmp_path / "users.parquet")
    data = load(tmp_path / "log.csv", CSV, users_path=str(tmp_path / "users.parquet"))
    assert data.users is not None
    assert data.users["age"].to_list() == [None, 2.0]


@pytest.mark.parametrize("missing", ["", "NaN", '""'])
def test_a_missing_id(tmp_path: Path, missing: str) -> None:
    text = f"who,what,when,stars\nann,7,1,1\n{missing},7,1,1\n{missing},8,1,1\n"
    message = refusal(tmp_path / "log.csv", text)
    assert message.startswith(
        f"{tmp_path}/log.csv: column 'who' has no id (null, NaN or empty, also as a "
        "word such as NULL, None or NA) in 2 of 3 rows, "
        "first in row 2 (counted from 1, without the header): "
    )
    assert message.endswith("remove these rows or name another column with dataset.columns.user")


@pytest.mark.parametrize("bad", [float("nan"), None, 1.5])
def test_a_float_id_that_is_no_integer(tmp_path: Path, bad: float | None) -> None:
    frame = pl.DataFrame({"who": ["a", "b"], "what": [1.0, bad], "when": [1, 2], "stars": [1, 1]})
    frame.write_parquet(tmp_path / "log.parquet")
    with pytest.raises(DataError, match=r"'what' has .* in 1 of 2 rows, first in row 2 .*\.item"):
        log_file(tmp_path / "log.parquet").load()


def test_an_id_of_another_type(tmp_path: Path) -> None:
    frame = pl.DataFrame({"who": [True], "what": [1], "when": [1], "stars": [1]})
    frame.write_parquet(tmp_path / "log.parquet")
    with pytest.raises(DataError) as error:
        log_file(tmp_path / "log.parquet").load()
    assert str(error.value) == (
        f"{tmp_path}/log.parquet: column 'who' has type Boolean; expected integers or strings: "
        "convert it or name another column with dataset.columns.user"
    )


@pytest.mark.parametrize("bad", ["good", "", "nan", "inf"])
def test_a_rating_that_is_no_number(tmp_path: Path, bad: str) -> None:
    message = refusal(tmp_path / "log.csv", f"who,what,when,stars\na,1,1,1\nb,1,1,{bad}\n")
    value = repr(bad) if bad else None
    assert message == (
        f"{tmp_path}/log.csv: column 'stars' has no finite number in 1 of 2 rows, first in row 2 "
        f"(counted from 1, without the header): {value}; correct or remove these rows or name "
        "another column with dataset.columns.rating"
    )


def test_a_timestamp_that_cannot_be_read(tmp_path: Path) -> None:
    message = refusal(
        tmp_path / "log.csv", "who,what,when,stars\na,1,9e8,1\nb,1,soon,1\n", timestamp_unit="s"
    )
    assert message == (
        f"{tmp_path}/log.csv: column 'when' has no readable timestamp in 1 of 2 rows, first in "
        "row 2 (counted from 1, without the header): 'soon'; correct or remove these rows or name "
        "another column with dataset.columns.timestamp"
    )


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    message = refusal(tmp_path / "log.csv", "user,what,when,stars\na,1,1,1\n")
    assert message == (
        f"{tmp_path}/log.csv has no column 'who' (dataset.columns.user); it has 'user', 'what', "
        "'when', 'stars'"
    )


def test_a_feature_column_that_is_not_there(tmp_path: Path) -> None:
    items = write(tmp_path / "items.csv", "what,name\n7,Jaws\n")
    message = refusal(tmp_path / "log.csv", CSV, items_path=str(items), title="label")
    assert message == f"{items} has no column 'label' (dataset.title); it has 'what', 'name'"


def test_a_feature_table_with_a_repeated_id(tmp_path: Path) -> None:
    users = write(tmp_path / "users.csv", "who,age\nann,1\nbob,2\nbob,3\n")
    message = refusal(tmp_path / "log.csv", CSV, users_path=str(users))
    assert message.startswith(f"{users}: column 'who' has an id of another row in 2 of 3 rows, ")
    assert "first in row 2 (counted from 1, without the header): 'bob'; keep one row" in message


def test_two_columns_that_claim_one_name(tmp_path: Path) -> None:
    items = write(tmp_path / "items.csv", "what,name,title\n7,a,b\n")
    message = refusal(tmp_path / "log.csv", CSV, items_path=str(items), title="name")
    assert message == (
        f"{items}: dataset.title names column 'name', and there is another column 'title'; "
        "set dataset.title=title to read that one, or rename it"
    )
    data = load(tmp_path / "log.csv", CSV, items_path=str(items), title="title")
    assert data.items is not None
    assert data.items.rows() == [(7, "a", "b")]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "(dataset.path) is empty: it holds not even a header"),
        ("who,what,when,stars\n", "(dataset.path) is empty: it holds no row of data"),
        ("who,what,when,stars\na,1,1,1,1,1\n", "(dataset.path): line 2 has 6 fields, the first"),
    ],
)
def test_a_file_without_data(tmp_path: Path, text: str, complaint: str) -> None:
    message = refusal(tmp_path / "log.csv", text)
    assert message.startswith(f"{tmp_path}/log.csv {complaint}")


def test_an_empty_test_part(tmp_path: Path) -> None:
    test = write(tmp_path / "test.csv", "who,what,when,stars\n")
    message = refusal(tmp_path / "log.csv", CSV, test_path=str(test))
    assert message == f"{test} (dataset.test_path) is empty: it holds no row of data"


def test_paths_that_hold_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        log_file(tmp_path / "nowhere.csv").load()
    assert str(error.value) == (
        f"{tmp_path}/nowhere.csv does not exist; dataset.path must name a file or directory"
    )
    with pytest.raises(DataError) as error:
        log_file(tmp_path).load()
    assert str(error.value) == (
        f"{tmp_path} (dataset.path) is a directory without a .parquet file in it; name a "
        "single file to read text"
    )


def test_an_unknown_suffix(tmp_path: Path) -> None:
    message = refusal(tmp_path / "log.dat", CSV)
    assert message == (
        f"{tmp_path}/log.dat (dataset.path) has the suffix '.dat'; must be .csv, .tsv (also with "
        ".gz, .zst, .bz2, .xz) or .parquet; for another text file set dataset.separator"
    )


def test_a_file_whose_content_contradicts_its_suffix(tmp_path: Path) -> None:
    message = refusal(tmp_path / "log.parquet", CSV)
    assert message.startswith(f"{tmp_path}/log.parquet (dataset.path) cannot be read: ")
    (tmp_path / "log.csv").write_bytes(b"who,what,when,stars\n\xe9,1,1,1\n")
    with pytest.raises(
        DataError, match=r"line 2 is not utf-8; set dataset\.encoding, such as latin-1"
    ):
        log_file(tmp_path / "log.csv").load()


def test_one_column_for_two_things(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        load(tmp_path / "log.csv", CSV, columns={"item": "who"})
    assert str(error.value) == (
        "dataset.columns.item and dataset.columns.user both name column 'who'"
    )


def test_a_bad_part_of_a_directory_is_named(tmp_path: Path) -> None:
    frame = pl.DataFrame({"who": ["a"], "what": [1], "when": [1], "stars": [1]})
    frame.write_parquet(tmp_path / "0.parquet")
    frame.with_columns(who=pl.lit(None, pl.String)).write_parquet(tmp_path / "1.parquet")
    with pytest.raises(DataError, match=rf"^{tmp_path}/1.parquet: column 'who' has no id .* row 1"):
        log_file(tmp_path).load()


def test_lines_are_the_order_if_the_config_asks_for_it(tmp_path: Path) -> None:
    text = "who,what,when,stars\nann,9,2,1\nann,7,1,1\nann,8,1,1\nbob,7,1,1\n"
    lines = load(tmp_path / "log.csv", text, order="file").log
    assert lines["item_id"].to_list() == [7, 8, 7, 9]  # by time, then by line
    assert lines["file_order"].to_list() == [1, 2, 3, 0]
    untimed = load(tmp_path / "log.csv", text, order="file", columns={"timestamp": None}).log
    assert untimed["item_id"].to_list() == [9, 7, 8, 7]
    assert untimed["timestamp"].to_list() == [0, 1, 2, 3]  # an order and no moments


def test_the_digest_depends_on_lines_only_where_they_are_the_order(tmp_path: Path) -> None:
    rows = ["ann,9,1,1", "ann,7,1,1", "bob,8,1,1"]
    digests: dict[str, set[str]] = {"time": set(), "file": set()}
    for order, found in digests.items():
        for lines in (rows, rows[::-1]):
            text = "\n".join(["who,what,when,stars", *lines])
            found.add(load(tmp_path / "log.csv", text, order=order).digest)
    assert {order: len(found) for order, found in digests.items()} == {"time": 1, "file": 2}


def test_weights_are_read_and_a_test_part_needs_none(tmp_path: Path) -> None:
    columns = {"weight": "stars", "rating": None}
    test = write(tmp_path / "test.csv", "who,what,when\nann,8,3\n")
    data = load(tmp_path / "log.csv", CSV, columns=columns, test_path=str(test))
    assert data.log["weight"].to_list() == [3.0, 4.5]
    assert data.log.columns == ["user_id", "item_id", "timestamp", "weight"]
    assert data.digest != load(tmp_path / "log.csv", CSV, columns={"rating": None}).digest


@pytest.mark.parametrize(
    ("value", "what"),
    [("-1", "a negative weight"), ("nan", "no finite number"), ("", "no finite number")],
)
def test_a_weight_that_cannot_be_is_refused(tmp_path: Path, value: str, what: str) -> None:
    text = CSV.replace("bob,8,1,3", f"bob,8,1,{value}")
    message = refusal(tmp_path / "log.csv", text, columns={"weight": "stars", "rating": None})
    assert message.startswith(f"{tmp_path}/log.csv: column 'stars' has {what} in 1 of 2 rows, ")
    assert "first in row 2" in message
    assert message.endswith("or name another column with dataset.columns.weight")
