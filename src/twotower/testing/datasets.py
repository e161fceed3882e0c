"""The contract of a dataset."""

from __future__ import annotations

import polars as pl

from twotower.dataset import Dataset
from twotower.testing.expect import expect
from twotower.types import ITEM, RATING, TIMESTAMP, USER, WEIGHT

__all__ = ["check_dataset"]

_TYPES = {
    RATING: (pl.Float64,),
    TIMESTAMP: (pl.Datetime("us"), pl.Int64),
    WEIGHT: (pl.Float64,),
}


def check_dataset(dataset: Dataset) -> None:
    """Check a dataset, which is loaded twice.

    Raises:
        AssertionError: What it loads breaks the contract `twotower.types.Interactions`.

    >>> from twotower import config
    >>> small = ["dataset=synthetic", "dataset.n_users=300", "dataset.n_interactions=9000"]
    >>> check_dataset(config.build(config.compose("train", small)["dataset"]))
    """
    one, same = dataset.load(), dataset.load()
    expect(one.digest == same.digest, "digest: must be the same for the same data")
    expect(one.log.equals(same.log), "log: must be the same each time")
    expect(one.log.height, "log: must not be empty")
    frames = {"log": one.log} | ({"test": one.test} if one.test is not None else {})
    for name, frame in frames.items():
        expect({USER, ITEM} <= {*frame.columns}, f"{name}: must have columns {USER} and {ITEM}")
        for column in (USER, ITEM):
            expect(not frame[column].null_count(), f"{name}: column {column} has nulls")
        for column, types in _TYPES.items():
            known = column not in frame.columns or frame.schema[column] in types
            expect(known, f"{name}: column {column} must be one of {types}")
    for key, features in ((USER, one.users), (ITEM, one.items)):
        if features is not None:
            name = f"{key.removesuffix('_id')}s"
            expect(features.columns[:1] == [key], f"{name}: the first column must be {key}")
            expect(features[key].is_unique().all(), f"{name}: must have one row per id")
            same_type = features.schema[key] == one.log.schema[key]
            expect(same_type, f"{name}: {key} must have the type that it has in log")
