"""The digest of content: equal for equal data however it is stored, different for different."""

from __future__ import annotations

import datetime as dt
import hashlib
import random
import struct

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.core.errors import DataError
from twotower.dataset.canonical import interactions
from twotower.dataset.digest import frames_digest


def digest(**columns: pl.Series) -> str:
    return frames_digest({"log": pl.DataFrame(columns)})


def test_what_exactly_is_hashed() -> None:
    # Spelt out once: with this the digest cannot change from one version of a library to another.
    expected = hashlib.sha256(
        b"frame log 2\n"
        b"column user_id\nInt64 2\n" + bytes([0, 0]) + struct.pack("<qq", 3, -1) +
        b"column tags\nList 2\n" + bytes([0, 1]) + struct.pack("<II", 2, 0) +
        b"String 2\n" + bytes([0, 0]) + struct.pack("<II", 1, 2) + "aé".encode()
    )  # fmt: skip
    frame = pl.DataFrame({"user_id": [3, -1], "tags": [["a", "é"], None]})
    assert frames_digest({"log": frame, "users": None}) == expected.hexdigest()


def test_storage_does_not_count() -> None:
    numbers = pl.Series([1, 2])
    assert digest(a=numbers) == digest(a=numbers.cast(pl.UInt8))
    words = pl.Series(["x", "y"])
    assert digest(a=words) == digest(a=words.cast(pl.Categorical))
    times = pl.Series([dt.datetime(2020, 1, 1)])
    assert digest(a=times.cast(pl.Datetime("ns"))) == digest(a=times.cast(pl.Datetime("us")))
    assert digest(a=pl.Series([0.0])) == digest(a=pl.Series([-0.0]))
    chunks = pl.concat([words, words], rechunk=False)
    assert digest(a=chunks) == digest(a=pl.Series(["x", "y", "x", "y"]))
    lists = pl.Series([["a"], ["b"], ["c"]])
    assert digest(a=lists[1:]) == digest(a=pl.Series([["b"], ["c"]]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["ab", "c"], ["a", "bc"]),
        (["", None], [None, ""]),
        ([None, 0], [0, None]),
        ([1, 2], [1.0, 2.0]),
        ([1, 2], ["1", "2"]),
        ([["a"], ["b"]], [["a", "b"], []]),
        ([[], None], [None, []]),
    ],
)
def test_content_counts(one: list[object], other: list[object]) -> None:
    string_lists = pl.List(pl.String) if [] in one else None
    assert digest(a=pl.Series(one, dtype=string_lists)) != digest(
        a=pl.Series(other, dtype=string_lists)
    )


def test_names_count() -> None:
    column = pl.Series([1])
    assert digest(a=column) != digest(b=column)
    frame = pl.DataFrame({"a": column})
    assert frames_digest({"users": frame}) != frames_digest({"items": frame})


def test_a_type_that_no_feature_has_is_refused() -> None:
    with pytest.raises(DataError, match=r"column 'a' has type Struct.*expected numbers, booleans"):
        digest(a=pl.Series([{"x": 1}]))


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=12
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_rows_never_counts(
    rows: list[tuple[int, int, int]], shuffler: random.Random
) -> None:
    def load(rows: list[tuple[int, int, int]]) -> tuple[str, list[tuple[object, ...]]]:
        log = pl.DataFrame(rows, schema=["user_id", "item_id", "seconds"], orient="row").select(
            "user_id", "item_id", timestamp=pl.from_epoch("seconds").cast(pl.Datetime("us"))
        )
        data = interactions(log=log, users=None, items=None, test=None, origin="")
        return data.digest, data.log.rows()

    shuffled = rows.copy()
    shuffler.shuffle(shuffled)
    assert load(shuffled) == load(rows)
