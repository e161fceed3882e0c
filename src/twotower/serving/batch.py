"""Lists for many users, written block by block: bounded memory, and resumable."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from twotower.core.files import read_json, write_atomically, write_json
from twotower.core.table_file import join_parts
from twotower.serving.id_rows import ids_as_known
from twotower.serving.recommender import Recommender
from twotower.types import USER

__all__ = ["BatchJob"]

logger = logging.getLogger(__name__)

_JOB = "job.json"


@dataclass(frozen=True)
class BatchJob:
    """Lists for `users`, written in blocks that are kept in `parts` until all are done.

    Attributes:
        recommender: The model.
        users: Original ids.
        out: A file or URL, whose suffix names the format.
        parts: A folder of the job's own.
        block: The number of users that are ranked and written at a time.
        identity: What the lists depend on in addition to the users, as plain values. Blocks of an
            earlier call with the same identity are not computed again.
        arguments: `k`, `drop_seen`, `items` and `exclude` of `Recommender.recommend`.
    """

    recommender: Recommender
    users: pl.Series
    out: str | Path
    parts: Path
    block: int
    identity: Any
    arguments: dict[str, Any]

    def run(self, done: Callable[[int], object] = lambda n: None, head: int = 0) -> pl.DataFrame:
        """Write the file.

        Args:
            done: Called with the number of users of each block, when it is written.
            head: How many rows to return.

        Returns:
            The first rows.
        """
        self.parts.mkdir(parents=True, exist_ok=True)
        if read_json(self.parts / _JOB) != self._job:
            for path in self.parts.iterdir():
                path.unlink()
            write_json(self.parts / _JOB, self._job)
        blocks = list(self._blocks())
        earlier = sum(path.exists() for path, _ in blocks)
        if earlier:
            logger.info("resuming: %d of %d blocks are written already", earlier, len(blocks))
        for path, users in blocks:
            if not path.exists():
                self._write(path, users)
            done(len(users))
        paths = [path for path, _ in blocks]
        join_parts(paths, self.out, "out")
        first = pl.scan_parquet(paths, glob=False).head(head).collect()
        shutil.rmtree(self.parts)
        return first

    def _write(self, path: Path, users: pl.Series) -> None:
        lists: pl.DataFrame = self.recommender.recommend(users, **self.arguments)
        # An unknown id may be text where the others are integers.
        ids = ids_as_known(self.users, self.recommender.vocabulary.users).dtype
        write_atomically(path, lists.cast({USER: ids}).write_parquet)

    @property
    def _job(self) -> Any:
        digest = hashlib.sha256(self.users.hash(0).to_numpy().tobytes()).hexdigest()
        job = [self.identity, self.arguments, digest, len(self.users), self.block]
        return json.loads(json.dumps(job, default=str))  # as it is read again

    def _blocks(self) -> Iterator[tuple[Path, pl.Series]]:
        """Yield the file of each block and its users; one block if there are no users."""
        for number, start in enumerate(range(0, max(1, len(self.users)), self.block)):
            yield self.parts / f"{number:06}.parquet", self.users.slice(start, self.block)
