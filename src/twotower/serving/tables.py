"""What is computed once of a model that recommends: embeddings, popularity, the rows of ids."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import polars as pl
import torch
from torch import Tensor

from twotower.dataset.ids import asked_ids
from twotower.model import DotProductScorer
from twotower.serving.arguments import allowed_rows, require_known
from twotower.serving.files import StoredModel
from twotower.serving.id_rows import IdRows, ids_as_known
from twotower.serving.lists import best, lists_frame
from twotower.serving.screening import SCREENED, best_of_one
from twotower.types import Histories, OneRanking, Recommendations

__all__ = ["BASED_ON", "Tables"]

BASED_ON = "based_on"  # column: what represents the user, see `Recommender.recommend`

_BASES = ("id", "features", "history", "no_history", "popularity")
_ID, _FEATURES, _HISTORY, _NO_HISTORY, _POPULARITY = range(len(_BASES))


@dataclass(frozen=True)
class Tables:
    """Makes lists of row numbers with the model of `stored`, which does not change."""

    stored: StoredModel

    @cached_property
    def user_rows(self) -> IdRows:
        """Finds users by id."""
        return IdRows(self.stored.vocabulary.users)

    @cached_property
    def item_rows(self) -> IdRows:
        """Finds items by id."""
        return IdRows(self.stored.vocabulary.items)

    @cached_property
    def items(self) -> Tensor:
        """[n_items, D] embeddings of the items that can be ranked."""
        return self.stored.model.item_table()

    @cached_property
    def longest(self) -> float:
        """The length of the longest item vector."""
        return float(self.items.norm(dim=1).max())

    @cached_property
    def users(self) -> Tensor:
        """[n_users, D] embeddings of the users that can be served."""
        return self.stored.model.user_table(self.items, self._read(self.stored.histories))

    @property
    def reads_histories(self) -> bool:
        """Whether users are represented by their histories."""
        return self.stored.model.history_length is not None

    @property
    def n_served(self) -> int:
        """How many users, the first of the vocabulary, the model can serve."""
        return self.stored.users.n if self.reads_histories else len(self.users)

    @cached_property
    def popularity(self) -> Tensor:
        """[n_items] float32, the number of interactions of each item that can be ranked."""
        counts = torch.bincount(self.stored.histories.items, minlength=self.stored.items.n)
        return counts[: len(self.items)].float()

    def allowed(self, items: Any, exclude: Any) -> Tensor | None:
        """See `allowed_rows`."""
        return allowed_rows(self.item_rows, len(self.items), items, exclude)

    def asked_users(self, users: Any) -> tuple[Tensor, pl.Series]:
        """Return the rows of `users`, -1 where the model cannot serve them, and their ids."""
        known = self.stored.vocabulary.users
        if users is None:
            return torch.arange(self.n_served), known.head(self.n_served)
        asked = asked_ids(users, "users")
        rows = self.user_rows.of(asked)
        return rows.where(rows < self.n_served, -1), ids_as_known(asked, known)

    def known_users(self, users: Any) -> Tensor:
        """Return the rows of `users`, of all for None. Raise DataError for unknown ones."""
        known = self.stored.vocabulary.users.head(self.n_served)
        return _known(users, self.user_rows, known, "users")

    def known_items(self, items: Any) -> Tensor:
        """Return the rows of `items`, of all for None. Raise DataError for unknown ones."""
        known = self.stored.vocabulary.items.head(len(self.items))
        return _known(items, self.item_rows, known, "items")

    def histories_of(self, rows: Tensor) -> Histories:
        """Return the histories of `rows` of users, empty for -1."""
        histories = self.stored.histories
        if (rows < 0).any():  # one row more, of nothing
            offsets = torch.cat([histories.offsets, histories.offsets[-1:]])
            histories = replace(histories, offsets=offsets)
            rows = rows.where(rows >= 0, self.stored.users.n)
        return histories.select(rows)

    def vectors_of(self, rows: Tensor) -> Tensor:
        """Return the embeddings of `rows` of users, [n, D]."""
        if not self.reads_histories:
            return self.users[rows]
        return self.stored.model.user_table(self.items, self._read(self.histories_of(rows)))

    def by_rows(
        self, rows: Tensor, k: int, seen: Histories | None, allowed: Tensor | None
    ) -> tuple[Recommendations, Tensor]:
        """Return lists for `rows` of users and the places in _BASES; -1 is served by popularity."""
        unknown = rows < 0
        scorer = DotProductScorer(self.users, self.items)
        found = self._best(scorer, rows.where(~unknown, scorer.n_users), k, seen, allowed)
        bases = torch.where(rows < self.stored.users.n_train, _ID, _FEATURES)
        if unknown.any():
            popular = best(OneRanking(self.popularity), torch.tensor([0]), k, None, allowed)
            found.items[unknown], found.scores[unknown] = popular.items[0], popular.scores[0]
            bases[unknown] = _POPULARITY
        return found, bases

    def by_histories(
        self, histories: Histories, k: int, seen: Histories | None, allowed: Tensor | None
    ) -> tuple[Recommendations, Tensor]:
        """Return lists for users with `histories`, and the places in _BASES."""
        read = self._read(histories)
        scorer = DotProductScorer(self.stored.model.user_table(self.items, read), self.items)
        found = self._best(scorer, torch.arange(read.n_rows), k, seen, allowed)
        return found, torch.where(read.lengths > 0, _HISTORY, _NO_HISTORY)

    def _best(
        self,
        scorer: DotProductScorer,
        rows: Tensor,
        k: int,
        seen: Histories | None,
        allowed: Tensor | None,
    ) -> Recommendations:
        """See `best`; one user's list over many items is made in less time."""
        if len(rows) == 1 and int(rows[0]) < scorer.n_users and scorer.n_items >= SCREENED:
            found = best_of_one(scorer, int(rows[0]), k, seen, allowed, self.longest)
            if found is not None:
                return found
        return best(scorer, rows, k, seen, allowed)

    def frame(
        self, found: Recommendations, ids: pl.Series, bases: Tensor, *columns: pl.Series
    ) -> pl.DataFrame:
        """Return the lists of the users `ids`, with further columns of one value per user."""
        frame = lists_frame(found, ids, self.stored.vocabulary.items, self.stored.items)
        lengths = (found.items >= 0).sum(1)
        of_rows = torch.arange(len(ids)).repeat_interleave(lengths).numpy()
        based_on = pl.Series(BASED_ON, _BASES).gather(bases.numpy())
        return frame.with_columns(column.gather(of_rows) for column in (based_on, *columns))

    def _read(self, histories: Histories) -> Histories:
        """Return the part of `histories` that the model was trained on."""
        return histories.below(self.stored.items.n_train)


def _known(asked: Any, rows: IdRows, known: pl.Series, key: str) -> Tensor:
    if asked is None:
        return torch.arange(len(known))
    ids = asked_ids(asked, key)
    found = rows.of(ids)
    found = found.where(found < len(known), -1)
    require_known(found, ids, known, key)
    return found
