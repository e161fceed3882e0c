"""`recommend new_users=` reads its file as the log of the run was written, or as its keys say."""

from __future__ import annotations

import polars as pl
from case_runner import Case

MS = ("tower=history", "dataset.path=ts_ms.csv", "dataset.timestamp_unit=ms")
HERE = ("k=3", "out=rec.csv", "output_dir=out")


def recommended(case: Case, *overrides: str) -> pl.DataFrame:
    case.call("recommend", *HERE, *overrides)
    return pl.read_csv("rec.csv")


def test_new_users_are_read_as_the_log_was(case: Case) -> None:
    log = pl.read_csv("ts_ms.csv")
    log.rename({"user_id": "who", "item_id": "what"}).write_csv("named.csv", separator=";")
    case.train(
        *(*MS, "dataset.path=named.csv", "dataset.separator=';'"),
        *("dataset.columns.user=who", "dataset.columns.item=what"),
    )
    first = pl.read_csv("nu_ms.csv")
    # This project's own names are accepted as well as those of the run.
    first.write_csv("own.csv", separator=";")
    expected = recommended(case, "new_users=own.csv")
    assert expected["user_id"].unique().to_list() == first["user_id"].unique().to_list()
    assert expected["n_known"].to_list() == [2, 2, 2]
    renamed = first.rename({"user_id": "who", "item_id": "what"})
    renamed.write_csv("named_new.csv", separator=";")
    assert recommended(case, "new_users=named_new.csv").equals(expected)
    # Another file is written in another way, as the command's own keys say.
    seconds = first.with_columns(pl.col("timestamp") // 1000)
    seconds.write_csv("headless.txt", separator="|", include_header=False)
    places = ("columns={user: 1, item: 2, timestamp: 3}", "header=false", "separator='|'")
    output = case.call("recommend", *HERE, "new_users=headless.txt", *places, code=1).text
    assert "headless.txt: column '3' has a time outside the years 1971 to" in output
    assert "set timestamp_unit=s or name another column with columns.timestamp" in output
    units = (*places, "timestamp_unit=s")
    assert recommended(case, "new_users=headless.txt", *units).equals(expected)


def test_a_user_of_whom_nothing_is_known_is_marked(case: Case) -> None:
    case.train(*MS)
    file = case.folder / "nu_ms.csv"
    file.write_text(file.read_text().rstrip() + "\nnewB,no-such-item,1690000000000\n")
    output = case.call("recommend", *HERE, "new_users=nu_ms.csv").text
    assert "1 of 2 new users interacted with none of the items" in output
    frame = pl.read_csv("rec.csv")
    assert dict(frame.select("user_id", "n_known").rows()) == {"newA": 2, "newB": 0}
