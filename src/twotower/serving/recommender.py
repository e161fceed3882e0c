"""A trained model with what it needs to recommend: original ids, histories, titles."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import torch
from torch import Tensor

from twotower.core.errors import DataError
from twotower.core.frame_library import Library, in_library, library_of
from twotower.dataset.new_users import new_users_log
from twotower.evaluation import recommendations_frame, top_k
from twotower.model import TwoTower
from twotower.serving.arguments import check_arguments, row_numbers, rows_of
from twotower.serving.files import StoredModel, load_model, save_model, with_features
from twotower.types import ITEM, TIMESTAMP, USER, Histories, Scorer, Side, Vocabulary, in_time

__all__ = ["N_KNOWN", "Recommender"]

logger = logging.getLogger(__name__)

N_KNOWN = "n_known"  # column: how many interactions of a new user are with items of the model

_BLOCK_SCORES = 4_000_000  # scores in memory at a time, some 30 bytes each; no list depends on it


@dataclass(frozen=True)
class Recommender:
    """Recommends items to users, by original ids.

    A model without features serves the users of train. One with features or histories of users
    serves every user of the log, and one with histories new users as well.

    Args:
        model: The trained towers.
        tower: The config node that both towers were built from. It is saved with the weights.
        vocabulary: The ids of `users` and `items`.
        histories: [n_users] the items that each user interacted with, cold ones included. They are
            left out of the user's list unless `drop_seen=False`.
        users: How many users the model knows, and their features.
        items: As `users`.
        library: The library of lists for users who are passed as no frame or series.

    >>> from pathlib import Path
    >>> import twotower
    >>> data = ["dataset=synthetic", "dataset.n_users=200", "dataset.n_interactions=4000"]
    >>> result = twotower.run([*data, "trainer.max_epochs=2", "tracking=none"])
    >>> result.recommender.save(Path("model"))
    >>> Recommender.load(Path("model")).recommend(None, k=3).columns
    ['user_id', 'item_id', 'rank', 'score', 'title']
    """

    model: TwoTower
    tower: Mapping[str, Any]
    vocabulary: Vocabulary
    histories: Histories
    users: Side
    items: Side
    library: Library = "polars"

    def recommend(self, users: Any = None, k: int = 10, drop_seen: bool = True) -> Any:
        """Return the `k` best items for each of `users`, best first.

        Args:
            users: Original ids: one id, or a sequence, array or series of them; None for all users.
                See `twotower.dataset.ids` for which ids are equal.
            k: The length of each list.
            drop_seen: Leave out items that the user interacted with.

        Returns:
            A frame with columns `user_id`, `item_id`, `rank` (from 1), `score` and, where known,
            `title`. A user with fewer than `k` candidates gets fewer rows. It is of the library of
            `users` if that is a series, else of `library`.

        Raises:
            DataError: The model cannot serve one of the users.
            ConfigError: `k` or `drop_seen` is not valid.
        """
        check_arguments(k, drop_seen)
        return in_library(self._to_known(users, k, drop_seen), library_of(users) or self.library)

    def _to_known(self, users: Any, k: int, drop_seen: bool) -> pl.DataFrame:
        known = self.vocabulary.users
        if self.model.history_length is not None:
            rows = rows_of(known, users)
            ids = known.gather(rows.numpy())
            return self._by_histories(self.histories.select(rows), ids, k, drop_seen)
        scorer = self.model.scorer(self.histories.below(self.items.n_train))
        rows = rows_of(known.head(scorer.n_users), users)
        return self._lists(scorer, rows, self.histories.select(rows), known, k, drop_seen)

    def recommend_to_new(self, interactions: Any, k: int = 10, drop_seen: bool = True) -> Any:
        """Return the `k` best items for users who are represented by their `interactions` alone.

        Args:
            interactions: Polars or pandas, columns `user_id`, `item_id` and, where known,
                `timestamp` of any type that sorts. The users may have any ids. Items that the model
                was not trained on are ignored, and their number is logged. See
                `twotower.types.time_order` for interactions with equal timestamps.
            k: The length of each list.
            drop_seen: Leave out items that the user interacted with.

        Returns:
            A frame of the library of `interactions` with the columns of `recommend`, users in order
            of id, and `n_known`: how many of the user's interactions were used. A user with 0 gets
            the list of a user without a history.

        Raises:
            DataError: The model does not represent users by histories, or knows none of the items.
            ConfigError: `k` or `drop_seen` is not valid.
        """
        check_arguments(k, drop_seen)
        if self.model.history_length is None:
            raise DataError(
                "new users can only be served by a model that knows users by what they interacted "
                f"with, and this one's user tower is {type(self.model.user_tower).__name__}; "
                "train one with tower=history"
            )
        log = in_time(new_users_log(interactions))
        user_ids = log[USER].unique().sort()
        users = row_numbers(user_ids, log[USER])
        items = row_numbers(self.vocabulary.items, log[ITEM])
        self._report_items(log[ITEM], items)
        known = items >= 0
        timed = TIMESTAMP in log.columns
        histories = Histories.of(users[known], items[known], len(user_ids), timed)
        frame = self._by_histories(histories, user_ids, k, drop_seen)
        n_known = histories.below(self.items.n_train).lengths.numpy()
        counts = pl.DataFrame({USER: user_ids, N_KNOWN: n_known})
        joined = frame.join(counts, on=USER, how="left", maintain_order="left")
        return in_library(joined, library_of(interactions) or self.library)

    def save(self, folder: Path) -> None:
        """Write weights, ids and histories to `folder`; see `twotower.serving.files`."""
        stored = StoredModel(
            self.model, self.tower, self.vocabulary, self.histories, self.users, self.items
        )
        save_model(stored, folder)

    @classmethod
    def load(cls, folder: Path, allow_targets: Sequence[str] = ()) -> Recommender:
        """Return what `save` wrote to `folder`.

        Args:
            folder: The folder.
            allow_targets: Packages, such as `my_package`, that the model's classes may come from
                in addition to twotower and torch.nn.

        Raises:
            DataError: A file is missing or damaged.
            ConfigError: The model names other code. None of that code was run.
        """
        return cls(*load_model(folder, allow_targets))

    def _report_items(self, ids: pl.Series, rows: Tensor) -> None:
        """Log how many of the new users' items the model knows. Raise DataError if it knows none.

        Args:
            ids: The items of the new users.
            rows: [n] their rows in the vocabulary, -1 where unknown.
        """
        trained = self.vocabulary.items.head(self.items.n_train)
        of_train = pl.Series(((rows >= 0) & (rows < self.items.n_train)).numpy())
        if not of_train.any():
            raise DataError(
                f"new users: none of their {len(ids)} interactions is with an item that the model "
                f"was trained on: got ids such as {ids[0]!r}; must be such as "
                f"{', '.join(map(repr, trained.head(3)))}"
            )
        others = ids.filter(~of_train).unique().sort()
        example = f"; the others, such as {others[0]!r}, are ignored" if len(others) else ""
        n = ids.n_unique()
        trained_on = f"{n - len(others):,} of their {n:,} items"
        level = logging.WARNING if len(others) else logging.INFO
        logger.log(level, "new users: the model was trained on %s%s", trained_on, example)

    def _by_histories(
        self, histories: Histories, ids: pl.Series, k: int, drop_seen: bool
    ) -> pl.DataFrame:
        """Return lists for the users `ids`, who have `histories`. No other history is read."""
        rows = torch.arange(len(ids))
        scorer = self.model.scorer(histories.below(self.items.n_train))
        return self._lists(scorer, rows, histories, ids, k, drop_seen)

    def _lists(
        self,
        scorer: Scorer,
        rows: Tensor,
        histories: Histories,
        ids: pl.Series,
        k: int,
        drop_seen: bool,
    ) -> pl.DataFrame:
        """Return lists for `rows` of `ids`; row r of `histories` belongs to rows[r]."""
        recommendations = top_k(
            scorer,
            rows,
            k=k,
            drop=histories.distinct() if drop_seen else None,
            block_scores=_BLOCK_SCORES,
        )
        vocabulary = Vocabulary(ids, self.vocabulary.items)
        items = with_features(ITEM, self.vocabulary.items, self.items)
        return recommendations_frame(recommendations, vocabulary, items)
