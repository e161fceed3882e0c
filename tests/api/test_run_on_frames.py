"""`twotower.run` on data frames: the same numbers as on the same log in a file."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import twotower
from twotower.core.errors import ConfigError, DataError
from twotower.dataset.frame import FrameDataset
from twotower.dataset.given_frames import GivenFrames, as_polars

RECIPE = (
    *("preprocessing=none", "split=last_n", "split.n=1", "trainer.max_epochs=2", "tracking=none"),
    *("trainer.batch_size=64", "trainer.progress_bar=false", "tower.emb_dim=4"),
    *("negative_sampling.num_negatives=2", "dataset.columns.user=customer"),
    *("dataset.columns.item=sku", "dataset.columns.timestamp=bought"),
)
DRAW = np.random.default_rng(1)
LOG = pl.DataFrame(
    {
        "customer": np.repeat(np.arange(30), 8),
        "sku": [
            f"s{item}" for item in np.concatenate([DRAW.permutation(20)[:8] for _ in range(30)])
        ],
        "bought": [dt.datetime(2024, 1, 1) + dt.timedelta(hours=row) for row in range(240)],
        "note": [{"not": "read"}] * 240,
    }
)
ITEMS = pl.DataFrame(
    {"sku": [f"s{n}" for n in range(20)], "title": [f"Item {n}" for n in range(20)]}
)


def run(tmp_path: Path, *overrides: str, **frames: Any) -> twotower.Result:
    return twotower.run([*RECIPE, f"output_dir={tmp_path}", *overrides], **frames)


def test_pandas_polars_and_a_file_give_the_same_numbers_in_the_library_given(
    tmp_path: Path,
) -> None:
    LOG.drop("note").write_parquet(tmp_path / "log.parquet")
    ITEMS.write_parquet(tmp_path / "items.parquet")
    paths = [f"dataset.path={tmp_path}/log.parquet", f"dataset.items_path={tmp_path}/items.parquet"]
    of_file = run(tmp_path, "dataset=file", *paths)
    shuffled = LOG.to_pandas().sample(frac=1, random_state=0)  # its index is no data
    of_pandas = run(tmp_path, interactions=shuffled, items=ITEMS.to_pandas())
    of_polars = run(tmp_path, interactions=LOG, items=ITEMS)
    assert of_pandas.metrics == of_polars.metrics == of_file.metrics
    assert of_polars.recommendations.to_pandas().equals(of_pandas.recommendations)
    for frame in (of_pandas.history, of_pandas.per_user, of_pandas.recommend([3], k=2)):
        assert isinstance(frame, pd.DataFrame)
    for frame in (of_polars.history, of_polars.per_user, of_polars.recommend([3], k=2)):
        assert isinstance(frame, pl.DataFrame)
    # Users passed as a series decide, whatever the model was trained on.
    assert isinstance(of_polars.recommend(pd.Series([3])), pd.DataFrame)
    assert isinstance(of_pandas.recommend(pl.Series([3])), pl.DataFrame)
    assert set(of_pandas.recommend([3], k=2)["title"]) < set(ITEMS["title"])
    assert len(list((tmp_path / "cache" / "splits").glob("*.lock"))) == 1  # one split for all
    assert len(list((tmp_path / "cache" / "frames").glob("*.lock"))) == 2  # in two orders of rows


def run_on_parts(folder: Path, *overrides: str, **more_of_train: Any) -> twotower.Result:
    """Train on all but the last interaction of each of 20 users, which are the test part."""
    test = LOG.filter(pl.col("customer") < 20).group_by("customer", maintain_order=True).tail(1)
    train = LOG.join(test, on=["customer", "sku"], how="anti").with_columns(**more_of_train)
    given = ["split=given", "split.validation=false"]
    off = ["trainer.patience=null", "trainer.refit=false"]
    recipe = [line for line in RECIPE if not line.startswith("split")]
    return twotower.run(
        [*recipe, *given, *off, *overrides, f"output_dir={folder}"], interactions=train, test=test
    )


def test_a_test_part_may_be_given(tmp_path: Path) -> None:
    result = run_on_parts(tmp_path)
    assert result.test is not None
    assert len(result.per_user) == 20


def test_a_test_part_needs_no_weights(tmp_path: Path) -> None:
    result = run_on_parts(tmp_path, "dataset.columns.weight=times", times=pl.lit(1.5))
    assert len(result.per_user) == 20


@pytest.mark.parametrize(
    ("overrides", "frames", "message"),
    [
        (["dataset=file"], {"interactions": LOG}, "^dataset=file: got interactions= as well; must"),
        ([], {"items": ITEMS}, "^items: got a frame without interactions; pass interactions="),
        (["tower.emb_dimm=2"], {"interactions": LOG}, r"tower\.emb_dimm: no such key; did you"),
        (["dataset=frame"], {}, r"dataset\.digest: must be set"),
    ],
)
def test_a_wrong_call_stops_before_anything_is_written(
    overrides: list[str], frames: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        twotower.run([f"output_dir={tmp_path}", *overrides], **frames)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_value_is_named_by_column_and_row(tmp_path: Path) -> None:
    holed = LOG.to_pandas()
    holed.loc[5, "sku"] = None
    with pytest.raises(
        DataError,
        match=r"^interactions: column 'sku' has no id .* in 1 of 240 rows, first in row 5 "
        r"\(counted from 0\): None; .* or name another column with dataset\.columns\.item$",
    ):
        run(tmp_path, interactions=holed)
    with pytest.raises(
        DataError,
        match=r"^interactions has no column 'sku' \(dataset\.columns\.item\); it has 'customer', ",
    ):
        run(tmp_path, interactions=LOG.rename({"sku": "article"}))
    repeated = pl.concat([ITEMS, ITEMS[3:4]])
    with pytest.raises(DataError, match=r"^items: column 'sku' has an id of another row .* row 3 "):
        run(tmp_path, interactions=LOG, items=repeated)
    with pytest.raises(DataError, match=r"^interactions is empty: it holds no row of data$"):
        run(tmp_path, interactions=LOG[:0])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (LOG.lazy(), "^log: got a LazyFrame; must be a DataFrame, as frame.collect"),
        ([1, 2], "^log: got list; must be a DataFrame of pandas or Polars$"),
        (pd.Series([1]), "^log: got Series; must be a DataFrame"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "^log: has several columns 'a'; rename all"),
        (
            pd.DataFrame({"a": [1, None, 2, "x"]}, index=[7, 7, 7, 7]),
            r"^log: column 'a' holds values of type int and, first in row 3 \(counted from 0\), of "
            r"type str: 'x'; must be of one type, such as frame\['a'\]\.astype\(str\)$",
        ),
        (pd.DataFrame({"a": [1j]}), "^log: column 'a' has type complex128, which cannot be read: "),
        (pl.DataFrame({"a": [object()]}), "^log: column 'a' has type Object, which cannot be read"),
    ],
)
def test_what_is_no_frame_or_no_column_is_refused(given: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        as_polars(given, "log", None)


def test_the_digest_is_of_what_is_read(tmp_path: Path) -> None:
    columns = ["customer", "sku"]

    def digest(log: Any, **others: Any) -> str:
        return GivenFrames(log, **others).keep(tmp_path, columns)

    same = digest(LOG)
    narrow = LOG.to_pandas().astype({"customer": "int16", "sku": "category"}).set_index("bought")
    assert digest(narrow[["sku", "customer"]]) == same
    assert digest(LOG.with_columns(note=1)) == same
    assert digest(LOG.reverse()) != same
    assert digest(LOG, items=ITEMS) != same
    assert digest(LOG, test=LOG) != digest(LOG, users=LOG.drop("note"))
    assert GivenFrames(narrow).library == "pandas"


def test_frames_that_are_gone_are_asked_for(tmp_path: Path) -> None:
    columns: Any = dict.fromkeys(("timestamp", "rating", "weight")) | {"user": "u", "item": "i"}
    dataset = FrameDataset("beef", str(tmp_path), columns, None, {}, "auto", None, "time")
    message = r"^dataset\.digest: got 'beef', but .* holds no such frames; pass them again: "
    with pytest.raises(DataError, match=message):
        dataset.load()
