"""The files that the documentation names, and a MovieLens of 80 users: all made up, and small."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from twotower.dataset.digest import frames_digest
from twotower.types import Interactions

N_USERS = 80
N_ITEMS = 120
PER_USER = 25
_GENRES = ("Comedy", "Drama", "Horror", "Western")


def movielens() -> Interactions:
    """Return interactions with the columns of MovieLens 100K; user 196 is among them."""
    generator = np.random.default_rng(0)
    taste = generator.integers(0, len(_GENRES), N_USERS)
    popularity = 1 / np.arange(1, N_ITEMS + 1)
    rows = []
    for user in range(N_USERS):
        liked = np.where(np.arange(N_ITEMS) % len(_GENRES) == taste[user], 6.0, 1.0)
        weights = popularity * liked
        items = generator.choice(N_ITEMS, PER_USER, replace=False, p=weights / weights.sum())
        days = generator.uniform(0, 200, PER_USER)
        ratings = generator.integers(3, 6, PER_USER)
        user_id = 196 if user == N_USERS - 1 else user + 1
        rows += [
            (user_id, int(i) + 1, float(r), d) for i, r, d in zip(items, ratings, days, strict=True)
        ]
    log = pl.DataFrame(rows, ["user_id", "item_id", "rating", "day"], orient="row")
    start = datetime(1997, 9, 20)
    times = [start + timedelta(days=day) for day in log["day"]]
    log = log.drop("day").with_columns(timestamp=pl.Series(times, dtype=pl.Datetime("us")))
    users = pl.DataFrame({"user_id": log["user_id"].unique().sort()}).with_columns(
        age=20 + pl.col("user_id") % 40,
        gender=pl.when(pl.col("user_id") % 2 == 0).then(pl.lit("F")).otherwise(pl.lit("M")),
        occupation=pl.lit("engineer"),
        zip_code=pl.lit("94043"),
    )
    numbers = range(1, N_ITEMS + 1)
    items_frame = pl.DataFrame(
        {
            "item_id": list(numbers),
            "title": [f"Film {number} (1995)" for number in numbers],
            "release_year": [1960 + number % 38 for number in numbers],
            "genres": [[_GENRES[(number - 1) % len(_GENRES)]] for number in numbers],
        }
    )
    digest = frames_digest({"log": log, "users": users, "items": items_frame})
    return Interactions(log, users, items_frame, None, "a MovieLens of 80 users", digest)


def write_files(folder: Path, interactions: Interactions) -> None:
    """Write to `folder` the logs that the documentation names."""
    log = interactions.log.with_columns(pl.col("timestamp").dt.truncate("1s"))
    names = {"user_id": "customer", "item_id": "sku", "timestamp": "bought_at"}
    renamed = [pl.col(name).alias(other) for name, other in names.items()]
    log.select(*names, *renamed).write_csv(folder / "log.csv")
    assert interactions.items is not None
    interactions.items.select("item_id", "title").write_csv(folder / "items.csv")
    np.save(folder / "image.npy", np.random.default_rng(1).normal(size=(N_ITEMS, 8)))
    lines = log.with_columns(pl.col("timestamp").dt.epoch("s"), pl.col("rating").cast(pl.Int64))
    (folder / "ratings.dat").write_text(
        "".join("::".join(map(str, row)) + "\n" for row in lines.iter_rows())
    )
    new = log.filter(pl.col("user_id") <= 3).with_columns(pl.col("user_id") + 1000)
    new.select(*names).write_csv(folder / "interactions.csv")
