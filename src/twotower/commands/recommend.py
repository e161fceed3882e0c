"""`twotower recommend`: lists from the model of an earlier run."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
from pydantic import PositiveInt
from rich.table import Table

from twotower.commands.models import found_model, load_model, trained_dataset
from twotower.commands.new_users import AsTrained, NewColumns, read_new_users
from twotower.core.component import component
from twotower.core.console import terminal
from twotower.core.errors import ConfigError
from twotower.core.numbers import score
from twotower.core.table_file import require_table_suffix, write_table
from twotower.core.writable import require_writable_file
from twotower.dataset.timestamps import TimestampUnit
from twotower.serving.recommender import N_KNOWN, Recommender
from twotower.tracking.mlflow_tracking import MlflowTracking
from twotower.tracking.models import FoundModel
from twotower.types import USER

__all__ = ["Recommend"]

_PRINTED_ROWS = 100


@component
@dataclass(frozen=True)
class Recommend:
    """Settings of the command; each is explained in conf/recommend.yaml."""

    run: str
    users: list[int | str] | int | str | None
    new_users: str | None
    columns: NewColumns
    timestamp_unit: TimestampUnit | AsTrained
    timestamp_format: str | None
    separator: str | None
    header: bool | AsTrained
    quote: str | None
    encoding: str
    k: PositiveInt
    drop_seen: bool
    file: str
    allow_targets: list[str]
    output_dir: str
    tracking: MlflowTracking

    def __post_init__(self) -> None:
        """Raise ConfigError if the file has an unknown suffix, or users are given twice."""
        require_table_suffix("file", self.file)
        if self.users is not None and self.new_users is not None:
            raise ConfigError("new_users: got a file together with users; must be one of the two")

    def __call__(self) -> pl.DataFrame:
        """Print, write and return `user_id`, `item_id`, `rank`, `score` and, if known, `title`."""
        require_writable_file("file", self.file)
        found = found_model(self.tracking, self.run)
        recommender = load_model(found, self.allow_targets)
        newcomers = self._newcomers(found)
        if newcomers is None:
            recommender.require_known(self.users)
            frame: pl.DataFrame = recommender.recommend(self.users, self.k, self.drop_seen)
        else:
            frame = recommender.recommend_from(newcomers, self.k, self.drop_seen)
        write_table(frame, self.file)
        console = terminal(soft_wrap=False)
        console.print(_table(frame.head(_PRINTED_ROWS), found.title))
        if frame.height > _PRINTED_ROWS:
            console.print(f"... and {frame.height - _PRINTED_ROWS:,} more rows")
        console.print(f"written to {self.file}", soft_wrap=True)
        if newcomers is not None and (warning := _unknown(frame)):
            console.print(warning, soft_wrap=True, markup=False)
        return frame

    def _newcomers(self, found: FoundModel) -> pl.DataFrame | None:
        if self.new_users is None:
            return None
        return read_new_users(self.new_users, vars(self), trained_dataset(found))

    def recommender(self) -> Recommender:
        """Return the model of the run."""
        return load_model(found_model(self.tracking, self.run), self.allow_targets)


def _unknown(frame: pl.DataFrame) -> str | None:
    """Return a warning if new users interacted with no item that the model knows, else None."""
    nobody = frame.filter(pl.col(N_KNOWN) == 0)[USER].unique(maintain_order=True)
    if nobody.is_empty():
        return None
    return (
        f"{len(nobody):,} of {frame[USER].n_unique():,} new users interacted with none of the "
        f"items that the model was trained on, the first is {nobody[0]!r}: their lists "
        f"({N_KNOWN} is 0) are those of a user without a history"
    )


def _table(frame: pl.DataFrame, title: str) -> Table:
    table = Table(*frame.columns, title=title)
    for row in frame.iter_rows():
        table.add_row(*(score(v) if isinstance(v, float) else str(v) for v in row))
    return table
