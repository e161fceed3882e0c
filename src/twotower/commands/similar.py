"""`twotower similar`: items, or users, that a model holds to be alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import PositiveInt

from twotower.commands.models import found_model, load_model
from twotower.commands.recommend import Ids, list_table
from twotower.core.component import component
from twotower.core.console import terminal
from twotower.core.errors import ConfigError
from twotower.core.table_file import require_table_suffix, write_table
from twotower.core.writable import require_writable_file
from twotower.serving.similar import Similarity
from twotower.tracking.mlflow_tracking import MlflowTracking

__all__ = ["Similar"]

_PRINTED_ROWS = 100


@component
@dataclass(frozen=True)
class Similar:
    """Settings of the command; each is explained in conf/similar.yaml."""

    run: str
    items: Ids
    users: Ids
    k: PositiveInt
    by: Similarity
    out: str
    allow_targets: list[str]
    output_dir: str
    tracking: MlflowTracking

    def __post_init__(self) -> None:
        """Raise ConfigError unless one of `items` and `users` is given, or for another suffix."""
        require_table_suffix("out", self.out)
        if (self.items is None) == (self.users is None):
            got = "neither" if self.items is None else "both"
            raise ConfigError(f"items, users: got {got}; must be one of them, such as items=[50]")

    def __call__(self) -> None:
        """Write the lists and print the first of them."""
        require_writable_file("out", self.out)
        found = found_model(self.tracking, self.run)
        model = load_model(found, self.allow_targets)
        if self.items is not None:
            lists = model.similar_items(_asked(self.items), self.k, self.by)
        else:
            lists = model.similar_users(_asked(self.users), self.k, self.by)
        path = Path(self.out)
        write_table(lists, path)
        console = terminal(soft_wrap=False)
        console.print(list_table(lists.head(_PRINTED_ROWS), f"similar by {self.by}, {found.title}"))
        if lists.height > _PRINTED_ROWS:
            console.print(f"... and {lists.height - _PRINTED_ROWS:,} more rows")
        console.print(f"written to {path}", soft_wrap=True)


def _asked(ids: Ids) -> Any:
    return None if ids in ("all", ["all"]) else ids
