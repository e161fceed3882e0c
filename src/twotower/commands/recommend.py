"""`twotower recommend`: lists from the model of an earlier run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from pydantic import PositiveInt
from rich.table import Table

from twotower.console import terminal
from twotower.dataset.mapping import Columns, map_log
from twotower.dataset.tables import read_tables, require_columns
from twotower.dataset.timestamps import TimeFormat
from twotower.errors import ConfigError
from twotower.recommender import MODEL_FOLDER, Recommender
from twotower.tracking.load import download, find_run
from twotower.tracking.mlflow_tracking import MlflowTracking
from twotower.types import ITEM, TIMESTAMP, USER

__all__ = ["Recommend"]

_WRITERS: dict[str, Callable[[pl.DataFrame, Path], None]] = {
    ".csv": pl.DataFrame.write_csv,
    ".parquet": pl.DataFrame.write_parquet,
}
_PRINTED_ROWS = 100


@dataclass(frozen=True)
class Recommend:
    """Settings of the command; each is explained in conf/recommend.yaml."""

    run: str
    users: list[int | str] | int | str | None
    new_users: str | None
    k: PositiveInt
    drop_seen: bool
    file: str
    allow_targets: list[str]
    output_dir: str
    tracking: MlflowTracking

    def __post_init__(self) -> None:
        """Raises ConfigError where the file's kind cannot be written."""
        if Path(self.file).suffix not in _WRITERS:
            raise ConfigError(f"file: got {self.file!r}; valid endings are {', '.join(_WRITERS)}")
        if self.users is not None and self.new_users is not None:
            raise ConfigError("new_users: got a file beside users; valid is one of the two")

    def __call__(self) -> pl.DataFrame:
        """Print and write `user_id`, `item_id`, `rank`, `score` and, where known, `title`."""
        run = find_run(self.tracking.uri, self.tracking.experiment_name, self.run)
        with TemporaryDirectory(prefix="twotower-") as folder:
            saved = download(self.tracking.uri, run.id, MODEL_FOLDER, Path(folder))
            recommender = Recommender.load(saved, self.allow_targets)
        if self.new_users is None:
            frame = recommender.recommend(self.users, self.k, self.drop_seen)
        else:
            told = _interactions(self.new_users)
            frame = recommender.recommend_to_new(told, self.k, self.drop_seen)
        path = Path(self.file)
        path.parent.mkdir(parents=True, exist_ok=True)
        _WRITERS[path.suffix](frame, path)
        console = terminal(soft_wrap=False)
        console.print(_table(frame.head(_PRINTED_ROWS), f"run {run.name} ({run.id})"))
        if frame.height > _PRINTED_ROWS:
            console.print(f"... and {frame.height - _PRINTED_ROWS:,} more rows")
        console.print(f"written to {path}", soft_wrap=True)
        return frame


def _interactions(path: str) -> pl.DataFrame:
    """`user_id`, `item_id` and, where known, `timestamp`. Raises DataError as a dataset does."""
    tables = read_tables(path, "new_users", None, None)
    for table in tables:
        needed = [(USER, "new_users"), (ITEM, "new_users")]
        require_columns(table.file, table.frame.columns, needed)
    timed = all(TIMESTAMP in table.frame.columns for table in tables)
    columns: Columns = {
        "user": USER,
        "item": ITEM,
        "timestamp": TIMESTAMP if timed else None,
        "rating": None,
    }
    return map_log(tables, columns, TimeFormat("auto", None, node=""))


def _table(frame: pl.DataFrame, title: str) -> Table:
    table = Table(*frame.columns, title=title)
    for row in frame.iter_rows():
        table.add_row(*(f"{v:.4f}" if isinstance(v, float) else str(v) for v in row))
    return table
