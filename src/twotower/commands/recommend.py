"""`twotower recommend`: lists from the model of an earlier run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl
from pydantic import PositiveInt
from rich.table import Table

from twotower.commands.models import found_model, load_model, trained_dataset
from twotower.commands.new_items import read_new_items
from twotower.commands.new_users import AsTrained, NewColumns, read_new_users
from twotower.commands.progress import user_progress
from twotower.core.component import component
from twotower.core.console import terminal
from twotower.core.errors import ConfigError
from twotower.core.numbers import score
from twotower.core.remote import is_remote
from twotower.core.table_file import require_table_suffix, write_table
from twotower.core.writable import require_writable_file
from twotower.dataset.ids import asked_ids
from twotower.dataset.timestamps import TimestampUnit
from twotower.serving.batch import BatchJob
from twotower.serving.recommender import N_KNOWN, Recommender
from twotower.tracking.mlflow_tracking import MlflowTracking
from twotower.tracking.models import FoundModel
from twotower.types import USER

__all__ = ["Recommend", "list_table"]

_PRINTED_ROWS = 100
_EVERYBODY = (None, "all", ["all"])

Ids = list[int | str] | int | str | None


@component
@dataclass(frozen=True)
class Recommend:
    """Settings of the command; each is explained in conf/recommend.yaml."""

    run: str
    users: Ids
    unknown_users: Literal["refuse", "popular"]
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
    items: Ids
    exclude: Ids
    items_path: str | None
    out: str
    block: PositiveInt
    allow_targets: list[str]
    output_dir: str
    tracking: MlflowTracking

    def __post_init__(self) -> None:
        """Raise ConfigError if the file has an unknown suffix, or users are given twice."""
        require_table_suffix("out", self.out)
        if self.users is not None and self.new_users is not None:
            raise ConfigError("new_users: got a file together with users; must be one of the two")

    def __call__(self) -> None:
        """Write `user_id`, `item_id`, `rank`, `score`, if known `title`, and `based_on`, and print
        the first of them."""
        require_writable_file("out", self.out)
        found = found_model(self.tracking, self.run)
        recommender = load_model(found, self.allow_targets)
        if self.items_path is not None:
            new = read_new_items(self.items_path, trained_dataset(found))
            recommender = recommender.with_items(new)
        warning = None
        if self.new_users is None:
            head = self._known(recommender, found)
        else:
            log = read_new_users(self.new_users, vars(self), trained_dataset(found))
            lists = recommender.recommend_from(log, **self._arguments)
            write_table(lists, self.out, "out")
            head, warning = lists.head(_PRINTED_ROWS + 1), _unknown(lists)
        console = terminal(soft_wrap=False)
        console.print(list_table(head.head(_PRINTED_ROWS), found.title))
        if head.height > _PRINTED_ROWS:
            console.print("... and more rows")
        console.print(f"written to {self.out}", soft_wrap=True)
        if warning:
            console.print(warning, soft_wrap=True, markup=False)

    def recommender(self) -> Recommender:
        """Return the model of the run."""
        return load_model(found_model(self.tracking, self.run), self.allow_targets)

    @property
    def _arguments(self) -> dict[str, Any]:
        return {
            "k": self.k,
            "drop_seen": self.drop_seen,
            "items": self.items,
            "exclude": self.exclude,
        }

    def _known(self, recommender: Recommender, found: FoundModel) -> pl.DataFrame:
        """Write the lists of users of the model; return the first rows."""
        if self.users in _EVERYBODY:
            users = recommender.served_users
        else:
            users = asked_ids(self.users, "users")
            if self.unknown_users == "refuse":
                recommender.require_known(self.users)
        run = found.run.id if found.run is not None else None
        job = BatchJob(
            recommender=recommender,
            users=users,
            out=self.out,
            parts=_parts(self.out, self.output_dir),
            block=self.block,
            identity=[found.uri, run, self.items_path],
            arguments=self._arguments,
        )
        with user_progress(len(users), shown=len(users) > self.block) as advance:
            return job.run(advance, _PRINTED_ROWS + 1)


def _parts(out: str, output_dir: str) -> Path:
    """Return the folder of the blocks, next to the file that they become."""
    file = Path(output_dir, Path(out).name) if is_remote(out) else Path(out)
    return file.with_name(f"{file.name}.parts")


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


def list_table(frame: pl.DataFrame, title: str) -> Table:
    """Return the table of `frame` for the terminal."""
    table = Table(*frame.columns, title=title)
    for row in frame.iter_rows():
        table.add_row(*(score(v) if isinstance(v, float) else str(v) for v in row))
    return table
