"""Logs made by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl

START = datetime(2024, 1, 1)


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
