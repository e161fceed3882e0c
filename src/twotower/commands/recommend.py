"""`twotower recommend`: lists from the model of an earlier run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from pydantic import PositiveInt
from rich.console import Console
from rich.table import Table

from twotower.errors import ConfigError
from twotower.recommender import MODEL_FOLDER, Recommender
from twotower.tracking.load import download, find_run
from twotower.tracking.mlflow_tracking import MlflowTracking

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
    users: list[int | str] | None
    k: PositiveInt
    drop_seen: bool
    file: str
    output_dir: str
    tracking: MlflowTracking

    def __post_init__(self) -> None:
        """Raises ConfigError where the file's kind cannot be written."""
        if Path(self.file).suffix not in _WRITERS:
            raise ConfigError(f"file: got {self.file!r}; valid endings are {', '.join(_WRITERS)}")

    def __call__(self) -> pl.DataFrame:
        """Print and write `user_id`, `item_id`, `rank`, `score` and, where known, `title`."""
        run = find_run(self.tracking.uri, self.tracking.experiment_name, self.run)
        with TemporaryDirectory(prefix="twotower-") as folder:
            saved = download(self.tracking.uri, run.id, MODEL_FOLDER, Path(folder))
            recommender = Recommender.load(saved)
        frame = recommender.recommend(self.users, self.k, self.drop_seen)
        path = Path(self.file)
        path.parent.mkdir(parents=True, exist_ok=True)
        _WRITERS[path.suffix](frame, path)
        console = Console(highlight=False)
        console.print(_table(frame.head(_PRINTED_ROWS), f"run {run.name} ({run.id})"))
        if frame.height > _PRINTED_ROWS:
            console.print(f"... and {frame.height - _PRINTED_ROWS:,} more rows")
        console.print(f"written to {path}", soft_wrap=True)
        return frame


def _table(frame: pl.DataFrame, title: str) -> Table:
    table = Table(*frame.columns, title=title)
    for row in frame.iter_rows():
        table.add_row(*(f"{v:.4f}" if isinstance(v, float) else str(v) for v in row))
    return table
