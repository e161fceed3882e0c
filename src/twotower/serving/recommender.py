"""A trained model with what it needs to recommend: original ids, histories, titles."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from torch import Tensor

from twotower.core.errors import DataError
from twotower.core.frame_library import Library, in_library, library_of
from twotower.dataset.new_users import new_users_log
from twotower.model import TwoTower
from twotower.serving.arguments import check_arguments
from twotower.serving.extended import extended
from twotower.serving.files import StoredModel, load_model, save_model
from twotower.serving.id_rows import IdRows
from twotower.serving.similar import Similarity, similar
from twotower.serving.tables import Tables
from twotower.types import ITEM, TIMESTAMP, USER, Histories, Side, Vocabulary, in_time

__all__ = ["N_KNOWN", "Recommender"]

logger = logging.getLogger(__name__)

N_KNOWN = "n_known"  # column: how many interactions of a new user are with items of the model
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Recommender:
    """Recommends items to users, by original ids.

    A model without features serves the users of train. One with features or histories of users
    serves every user of the log, and one with histories new users as well. Users that it cannot
    serve are recommended the most popular items.

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
    ['user_id', 'item_id', 'rank', 'score', 'title', 'based_on']
    """

    model: TwoTower
    tower: Mapping[str, Any]
    vocabulary: Vocabulary
    histories: Histories
    users: Side
    items: Side
    library: Library = "polars"

    def recommend(
        self,
        users: Any = None,
        k: int = 10,
        drop_seen: bool = True,
        items: Any = None,
        exclude: Any = None,
    ) -> Any:
        """Return the `k` best items for each of `users`, best first.

        Args:
            users: Original ids: one id, or a sequence, array or series of them; None for all users
                that the model knows. See `twotower.dataset.ids` for which ids are equal.
            k: The length of each list.
            drop_seen: Leave out items that the user interacted with.
            items: Ids of the items to choose from; None for all. Unknown ones are ignored.
            exclude: Ids of items to leave out; None for none.

        Returns:
            A frame with columns `user_id`, `item_id`, `rank` (from 1), `score`, where known
            `title`, and `based_on`: what represents the user, `id` for a user of train, `features`
            or `history` for others, `no_history` for a user without one, `popularity` for a user
            that the model cannot serve, whose scores are numbers of interactions. A user with fewer
            than `k` candidates gets fewer rows. It is of the library of `users` if that is a
            series, else of `library`.

        Raises:
            DataError: An id is not valid, or the model can rank none of `items`.
            ConfigError: `k` or `drop_seen` is not valid.
        """
        check_arguments(k, drop_seen)
        tables = self._tables
        allowed = tables.allowed(items, exclude)
        rows, ids = tables.asked_users(users)
        unknown = int((rows < 0).sum())
        if unknown:
            first = ids.filter(pl.Series((rows < 0).numpy()))[0]
            logger.warning("users: the model cannot serve %d, the first is %r", unknown, first)
        histories = tables.histories_of(rows)
        seen = histories if drop_seen else None
        if tables.reads_histories:
            found, bases = tables.by_histories(histories, k, seen, allowed)
        else:
            found, bases = tables.by_rows(rows, k, seen, allowed)
        return in_library(tables.frame(found, ids, bases), library_of(users) or self.library)

    def recommend_from(
        self,
        interactions: Any,
        k: int = 10,
        drop_seen: bool = True,
        items: Any = None,
        exclude: Any = None,
    ) -> Any:
        """Return the `k` best items for users who are represented by their `interactions` alone.

        Args:
            interactions: Polars or pandas, columns `user_id`, `item_id` and, where known,
                `timestamp` of any type that sorts. The users may have any ids. Items that the model
                was not trained on are ignored, and their number is logged. See
                `twotower.types.time_order` for interactions with equal timestamps.
            k: The length of each list.
            drop_seen: Leave out items that the user interacted with.
            items: As for `recommend`.
            exclude: As for `recommend`.

        Returns:
            A frame of the library of `interactions` with the columns of `recommend`, users in order
            of id, and `n_known`: how many of the user's interactions were used. A user with 0 gets
            the list of a user without a history.

        Raises:
            DataError: The model does not represent users by histories, or knows none of the items.
            ConfigError: `k` or `drop_seen` is not valid.
        """
        check_arguments(k, drop_seen)
        tables = self._tables
        if not tables.reads_histories:
            raise DataError(
                "new users can only be served by a model that knows users by what they interacted "
                f"with, and this one's user tower is {type(self.model.user_tower).__name__}; "
                "train one with tower=history"
            )
        allowed = tables.allowed(items, exclude)
        log = in_time(new_users_log(interactions))
        user_ids = log[USER].unique().sort()
        user_rows, rows = IdRows(user_ids).of(log[USER]), tables.item_rows.of(log[ITEM])
        self._report_items(log[ITEM], rows)
        known, timed = rows >= 0, TIMESTAMP in log.columns
        histories = Histories.of(user_rows[known], rows[known], len(user_ids), timed)
        seen = histories if drop_seen else None
        found, bases = tables.by_histories(histories, k, seen, allowed)
        n_known = pl.Series(N_KNOWN, histories.below(self.items.n_train).lengths.numpy())
        frame = tables.frame(found, user_ids, bases, n_known)
        return in_library(frame, library_of(interactions) or self.library)

    def similar_items(self, items: Any = None, k: int = 10, by: Similarity = "cosine") -> Any:
        """Return the `k` items most similar to each of `items`, the item itself left out.

        Args:
            items: Original ids; None for all that the model can rank.
            k: The length of each list.
            by: `cosine` of the embeddings or their `dot` product, which favors popular items. A
                prior (tower/prior) is no part of either.

        Returns:
            A frame with columns `item_id`, `similar_id`, `rank`, `score` and, where known, the
            `title` of the similar item.

        Raises:
            DataError: The model does not know one of `items`.
            ConfigError: `k` or `by` is not valid.
        """
        check_arguments(k)
        table, rows = self.model.tower_part(self._tables.items), self._tables.known_items(items)
        frame = similar(table, rows, self.vocabulary.items.alias(ITEM), self.items, k, by)
        return in_library(frame, library_of(items) or self.library)

    def similar_users(self, users: Any = None, k: int = 10, by: Similarity = "cosine") -> Any:
        """Return the `k` users most similar to each of `users`; see `similar_items`."""
        check_arguments(k)
        table, rows = self.model.tower_part(self._tables.users), self._tables.known_users(users)
        frame = similar(table, rows, self.vocabulary.users.alias(USER), self.users, k, by)
        return in_library(frame, library_of(users) or self.library)

    def user_vectors(self, users: Any = None) -> Vectors:
        """Return the embeddings of `users`, [n, D] float32, in their order.

        A user's score of an item is the dot product of the two embeddings.

        Args:
            users: Original ids; None for all that the model can serve, the first of
                `vocabulary.users`.

        Raises:
            DataError: The model does not know one of them.
        """
        return _array(self._tables.vectors_of(self._tables.known_users(users)))

    def item_vectors(self, items: Any = None) -> Vectors:
        """Return the embeddings of `items`, [n, D] float32; see `user_vectors`."""
        return _array(self._tables.items[self._tables.known_items(items)])

    def with_items(self, items: Any) -> Recommender:
        """Return a recommender that ranks new items too, by their features, without training.

        Args:
            items: A frame of pandas or Polars with `item_id` and the features of training. Known
                items are ignored; a missing feature is unknown.

        Raises:
            DataError: The item tower does not read features, or a feature is of another type.
        """
        return replace(self, **extended(self._stored, items=items)._asdict())

    def with_users(self, users: Any) -> Recommender:
        """Return a recommender that serves new users too, by their features; see `with_items`."""
        return replace(self, **extended(self._stored, users=users)._asdict())

    def save(self, folder: Path) -> None:
        """Write weights, ids and histories to `folder`, which is there in full or not at all.

        The folder holds tensors, tables and plain YAML, with a checksum of each file, and no code.

        Raises:
            DataError: `folder` holds files of something else.
        """
        save_model(self._stored, Path(folder))

    @classmethod
    def load(cls, folder: Path, allow_targets: Sequence[str] = ()) -> Recommender:
        """Return what `save` wrote to `folder`, or the model in the folder of an MLflow model.

        Args:
            folder: The folder.
            allow_targets: Packages, such as `my_package`, that the model's classes may come from
                in addition to twotower and torch.nn.

        Raises:
            DataError: A file is missing or damaged.
            ConfigError: The model names other code. None of that code was run.
        """
        return cls(*load_model(Path(folder), allow_targets))

    @property
    def served_users(self) -> pl.Series:
        """The ids of the users that the model can serve."""
        return self.vocabulary.users.head(self._tables.n_served)

    def require_known(self, users: Any) -> None:
        """Raise DataError, naming the first, if the model cannot serve some of `users`."""
        self._tables.known_users(users)

    @property
    def _stored(self) -> StoredModel:
        return StoredModel(
            self.model, self.tower, self.vocabulary, self.histories, self.users, self.items
        )

    @cached_property
    def _tables(self) -> Tables:
        return Tables(self._stored)

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


def _array(vectors: Tensor) -> Vectors:
    array: Vectors = vectors.cpu().float().numpy()
    return array
