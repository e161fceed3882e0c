"""Pretrained vectors: in Parquet columns and in NumPy files, checked and served to cold items."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import twotower
from twotower import config as conf
from twotower.core.errors import ConfigError, DataError
from twotower.types import Interactions

IDS = pl.DataFrame({"item_id": ["b", "a", "c"]})


def load(folder: Path, items: pl.DataFrame, arrays: dict[str, Any] | None = None) -> Interactions:
    log = pl.DataFrame({"user_id": [1, 2], "item_id": ["a", "b"]})
    log.write_parquet(folder / "log.parquet")
    items.write_parquet(folder / "items.parquet")
    named = []
    for name, array in (arrays or {}).items():
        np.save(folder / f"{name}.npy", array)
        named.append(f"{name}: {folder}/{name}.npy")
    overrides = [
        *("dataset=file", f"dataset.path={folder}/log.parquet", "dataset.columns.timestamp=null"),
        *(f"dataset.items_path={folder}/items.parquet", "split=random"),
        f"dataset.items_vectors={{{','.join(named)}}}",
    ]
    data: Interactions = conf.build(conf.compose("train", overrides)["dataset"]).load()
    return data


@pytest.mark.parametrize("dtype", [pl.List(pl.Float64), pl.List(pl.Float32)])
def test_lists_of_parquet_are_vectors(tmp_path: Path, dtype: Any) -> None:
    items = IDS.with_columns(pl.Series("image", [[0.5, 1.0], None, [2.0, 0.0]], dtype=dtype))
    data = load(tmp_path, items)
    assert data.items is not None
    assert data.items["image"].to_list() == [None, [0.5, 1.0], [2.0, 0.0]]  # a, b, c


def test_lists_of_a_fixed_size_are_vectors(tmp_path: Path) -> None:
    array = pl.Series("image", [[0.5, 1.0], [1.5, 3.0], [2.0, 0.0]], dtype=pl.Array(pl.Float32, 2))
    data = load(tmp_path, IDS.with_columns(array))
    assert data.items is not None
    assert data.items["image"].to_list() == [[1.5, 3.0], [0.5, 1.0], [2.0, 0.0]]
    assert data.items.schema["image"] == pl.List(pl.Float32)


def test_a_numpy_file_has_the_rows_of_the_table(tmp_path: Path) -> None:
    array = np.array([[1, 2], [np.nan, np.nan], [3, 4]], dtype=np.float64)
    data = load(tmp_path, IDS, {"image": array})
    assert data.items is not None
    assert data.items["image"].to_list() == [None, [1.0, 2.0], [3.0, 4.0]]
    other = load(tmp_path, IDS, {"image": array + 1})
    assert other.digest != data.digest


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (
            [[1.0, 2.0], None, [1.0]],
            "column 'image' has a vector of another length in 1 of 3 rows, first in row 3 (counted "
            "from 1, without the header): 1; all vectors of a column must be as long as the ",
        ),
        (
            [[1.0], [float("inf")], None],
            "column 'image' has a vector with no finite number in 1 of 3",
        ),
        ([[1.0], [None], None], "column 'image' has a vector with no finite number in 1 of 3"),
    ],
)
def test_a_vector_that_cannot_be_is_refused(tmp_path: Path, column: Any, message: str) -> None:
    items = IDS.with_columns(pl.Series("image", column, dtype=pl.List(pl.Float64)))
    with pytest.raises(DataError) as error:
        load(tmp_path, items)
    assert str(error.value).startswith(f"{tmp_path}/items.parquet: {message}")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones((2, 4)), "has 2 rows, but the table of ids has 3; expected the same rows in the"),
        (np.ones(3), "holds float64 (3,); expected numbers of shape [rows, length]"),
        (np.array([["x"]] * 3), "holds <U1 (3, 1); expected numbers of shape [rows, length]"),
    ],
)
def test_a_numpy_file_of_another_shape_is_refused(tmp_path: Path, array: Any, message: str) -> None:
    with pytest.raises(DataError) as error:
        load(tmp_path, IDS, {"image": array})
    assert message in str(error.value)
    assert "(dataset.items_vectors.image)" in str(error.value)


def test_vectors_without_ids_are_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"dataset\.users_vectors: got \{'a': 'b'\}, but dataset\.u"
    ):
        conf.compose("train", ["dataset=file", "dataset.path=x", "dataset.users_vectors={a: b}"])


@pytest.mark.parametrize("vectors", ["frozen", "fine_tuned"])
def test_items_are_known_by_their_vectors_cold_ones_too(
    tmp_path: Path, untracked: list[str], vectors: str
) -> None:
    # Users like one of two kinds of item; a vector holds the kind. The last four items are cold.
    n_items = 24
    kinds = np.arange(n_items) % 2
    draw = np.random.default_rng(0)
    liked = [(u, i) for u in range(30) for i in range(n_items - 4) if i % 2 == u % 2]
    log = pl.DataFrame(draw.permutation(liked)[:240], schema=["user_id", "item_id"], orient="row")
    log.with_columns(timestamp=pl.int_range(pl.len())).write_csv(tmp_path / "log.csv")
    pl.DataFrame({"item_id": range(n_items)}).write_csv(tmp_path / "items.csv")
    noise = draw.normal(0, 0.01, (n_items, 3))
    image = np.stack([kinds, 1 - kinds, np.ones(n_items)], 1) + noise
    np.save(tmp_path / "image.npy", image)
    result = twotower.run(
        [
            *(each for each in untracked if not each.startswith("dataset")),
            *("dataset=file", f"dataset.path={tmp_path}/log.csv", "dataset.timestamp_unit=order"),
            f"dataset.items_path={tmp_path}/items.csv",
            f"dataset.items_vectors={{image: {tmp_path}/image.npy}}",
            *("split.drop_cold_items=false", "tower=features", f"tower.vectors={vectors}"),
            *(
                "tower.id_dropout=0.5",
                "optimizer.lr=0.02",
                "trainer.max_epochs=20",
                "trainer.batch_size=16",
            ),
        ]
    )
    scorer = result.judged.scorer
    scores = (scorer.users @ scorer.items[-4:].T).numpy()  # of the cold items, kinds 0, 1, 0, 1
    own = result.recommender.vocabulary.users.to_numpy() % 2 == 0
    even = scores[:, [0, 2]].sum(1) > scores[:, [1, 3]].sum(1)
    assert (even == own).mean() > 0.9
    folder = tmp_path / "model"
    result.recommender.save(folder)
    loaded = twotower.load(folder)
    assert loaded.recommend([1], 5).equals(result.recommender.recommend([1], 5))
