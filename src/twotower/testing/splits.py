"""The contract of a split."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from twotower.split.base import Parts, Split
from twotower.testing.expect import expect
from twotower.types import ITEM, TIMESTAMP, USER

__all__ = ["check_split"]

_KEYS = [USER, ITEM, TIMESTAMP]


def check_split(split: Split) -> None:
    """Check a split on a log of 60 users and 20 items over 100 days.

    Raises:
        AssertionError: The split breaks the contract `Split`.
    """
    log = _log()
    given = log.tail(100) if _takes_given(split) else None
    whole = log if given is None else log.head(log.height - 100)
    one, same = split.split(whole, given, []), split.split(whole, given, [])
    for name, frame in _frames(one).items():
        expect(frame.equals(_frames(same)[name]), f"{name}: must be the same each time")
        expect(frame.height, f"{name}: must not be empty")
        own = frame.join(log, on=_KEYS, how="semi").height == frame.height
        expect(own, f"{name}: must hold rows of the log alone")
    parts = _frames(one)
    for name in ("train", "validation"):
        if name in parts:
            leak = parts[name].join(parts["test"], on=_KEYS, how="semi").height
            expect(not leak, f"{name}: holds {leak} rows of the test part")
    if "validation" in parts:
        leak = parts["train"].join(parts["validation"], on=_KEYS, how="semi").height
        expect(not leak, f"train: holds {leak} rows of the validation part")


def _takes_given(split: Split) -> bool:
    return type(split).cut_test is not Split.cut_test


def _frames(parts: Parts) -> dict[str, pl.DataFrame]:
    found = {name: getattr(parts, name) for name in ("train", "validation", "test")}
    return {name: frame for name, frame in found.items() if frame is not None}


def _log() -> pl.DataFrame:
    """Return 60 users with 12 of 20 items each, in order of time."""
    draw = np.random.default_rng(0)
    rows = [
        (user, int(item), datetime(2024, 1, 1) + timedelta(days=float(draw.uniform(0, 100))))
        for user in range(60)
        for item in draw.permutation(20)[:12]
    ]
    schema = pl.Schema({USER: pl.Int64(), ITEM: pl.Int64(), TIMESTAMP: pl.Datetime("us")})
    return pl.DataFrame(rows, schema=schema, orient="row").sort(TIMESTAMP)
