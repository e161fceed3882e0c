"""A trained model with all it takes to recommend: original ids, histories, titles."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal

import numpy as np
import polars as pl
import torch
import yaml
from torch import Tensor

from twotower.config import build_stored
from twotower.core.errors import ConfigError, DataError
from twotower.core.secrets import mask_all
from twotower.dataset.ids import asked_ids
from twotower.dataset.new_users import new_users_log
from twotower.evaluation import recommendations_frame, top_k
from twotower.model import TwoTower
from twotower.tower import TowerFactory
from twotower.tower.text.sentence import without_encoder
from twotower.types import ITEM, TIMESTAMP, USER, Histories, Scorer, Side, Vocabulary, in_time

__all__ = ["MODEL_FOLDER", "N_KNOWN", "Recommender"]

logger = logging.getLogger(__name__)

MODEL_FOLDER = "model"  # of a run's artifacts
N_KNOWN = "n_known"  # of new users: how many of their interactions the model knows the items of

_WEIGHTS, _TOWER, _ROWS, _USERS, _ITEMS, _HISTORY = _FILES = (
    "weights.pt",
    "tower.yaml",
    "rows.yaml",
    "users.parquet",
    "items.parquet",
    "history.parquet",
)
_KNOWN = {USER: _USERS, ITEM: _ITEMS}
_BLOCK_SCORES = 4_000_000  # scores held at a time, some 30 bytes each; no list depends on it


@dataclass(frozen=True)
class Recommender:
    """Recommends to the users that the model knows: those of train, or by features or histories.

    tower: the config node that both towers were built from.
    vocabulary: the ids of `users` and `items`, what the towers know.
    histories: [n_users] what each user had interacted with, cold items of the vocabulary included;
        dropped from the lists where asked.
    """

    model: TwoTower
    tower: Mapping[str, Any]
    vocabulary: Vocabulary
    histories: Histories
    users: Side
    items: Side

    def recommend(self, users: Any, k: int, drop_seen: bool = True) -> pl.DataFrame:
        """The `k` best items for each of `users`, best first.

        users: original ids, an id or any sequence, array or series of them (see
        `twotower.dataset.ids` for which are equal); None: all. Columns `user_id`, `item_id`, `rank`
        (from 1), `score` and, where known, `title`; fewer than `k` rows for a user with fewer
        candidates. Raises DataError for ids that the model cannot serve, ConfigError for `k`.
        """
        _check(k, drop_seen)
        known = self.vocabulary.users
        if self.model.history_length is not None:
            rows = _rows(known, users)
            ids = known.gather(rows.numpy())
            return self._by_histories(self.histories.select(rows), ids, k, drop_seen)
        scorer = self.model.scorer(self.histories.below(self.items.n_train))
        rows = _rows(known.head(scorer.n_users), users)
        return self._lists(scorer, rows, self.histories.select(rows), known, k, drop_seen)

    def recommend_to_new(
        self, interactions: pl.DataFrame, k: int, drop_seen: bool = True
    ) -> pl.DataFrame:
        """The `k` best items for users who are known by their `interactions` alone.

        interactions: Polars or pandas, columns `user_id` and `item_id`, and `timestamp` where
        known, any that sorts. The users may be of any ids; items that the model was not trained on
        are not read, and their number is reported. For interactions of one timestamp see
        `twotower.types.time_order`. Columns as of `recommend`, users in order of id, and `n_known`:
        how many interactions were read. With 0 the list is that of a user without a history.
        Raises DataError where the model's users are no histories, or none of the items is known.
        """
        _check(k, drop_seen)
        if self.model.history_length is None:
            raise DataError(
                "new users can only be served by a model that knows users by what they interacted "
                f"with, and this one's user tower is {type(self.model.user_tower).__name__}; "
                "train one with tower=history"
            )
        log = in_time(new_users_log(interactions))
        user_ids = log[USER].unique().sort()
        users = _row_numbers(user_ids, log[USER])
        items = _row_numbers(self.vocabulary.items, log[ITEM])
        self._report_items(log[ITEM], items)
        known = items >= 0
        timed = TIMESTAMP in log.columns
        histories = Histories.of(users[known], items[known], len(user_ids), timed)
        frame = self._by_histories(histories, user_ids, k, drop_seen)
        n_known = histories.below(self.items.n_train).lengths.numpy()
        counts = pl.DataFrame({USER: user_ids, N_KNOWN: n_known})
        return frame.join(counts, on=USER, how="left", maintain_order="left")

    def _report_items(self, ids: pl.Series, rows: Tensor) -> None:
        """Report how many of the items of new users the model knows by `rows`. Raises DataError
        where it was trained on none."""
        trained = self.vocabulary.items.head(self.items.n_train)
        of_train = pl.Series(((rows >= 0) & (rows < self.items.n_train)).numpy())
        if not of_train.any():
            raise DataError(
                f"new users: none of their {len(ids)} interactions is of an item that the model "
                f"was trained on: got ids such as {ids[0]!r}; must be such as "
                f"{', '.join(map(repr, trained.head(3)))}"
            )
        others = ids.filter(~of_train).unique().sort()
        example = f"; the others, such as {others[0]!r}, are not read" if len(others) else ""
        n = ids.n_unique()
        trained_on = f"{n - len(others):,} of their {n:,} items"
        level = logging.WARNING if len(others) else logging.INFO
        logger.log(level, "new users: the model was trained on %s%s", trained_on, example)

    def _by_histories(
        self, histories: Histories, ids: pl.Series, k: int, drop_seen: bool
    ) -> pl.DataFrame:
        """For the users `ids`, of whom no other's history need be read."""
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
        """For `rows` of `ids`; row r of `histories` is that of rows[r]."""
        recommendations = top_k(
            scorer,
            rows,
            k=k,
            drop=histories.distinct() if drop_seen else None,
            block_scores=_BLOCK_SCORES,
        )
        vocabulary = Vocabulary(ids, self.vocabulary.items)
        return recommendations_frame(recommendations, vocabulary, self._known(ITEM))

    def _known(self, key: str) -> pl.DataFrame:
        """The ids of users or items, column `key`, with what is known of them."""
        side, ids = (
            (self.users, self.vocabulary.users)
            if key == USER
            else (self.items, self.vocabulary.items)
        )
        frame = ids.to_frame(key)
        return frame if side.features is None else frame.hstack(side.features)

    def save(self, folder: Path) -> None:
        """Write weights (`torch.load(weights_only=True)` reads them), ids and histories."""
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(self.model.state_dict(), folder / _WEIGHTS)
        (folder / _TOWER).write_text(yaml.safe_dump(mask_all(self.tower), sort_keys=False))
        trained = {"users": self.users.n_train, "items": self.items.n_train}
        (folder / _ROWS).write_text(yaml.safe_dump({"of_train": trained}))
        self._known(USER).write_parquet(folder / _USERS)
        self._known(ITEM).write_parquet(folder / _ITEMS)
        rows, columns = self.histories.rows.numpy(), self.histories.items.numpy()
        pl.DataFrame({"user_row": rows, "item_row": columns}).write_parquet(folder / _HISTORY)

    @classmethod
    def load(cls, folder: Path, allow_targets: Sequence[str] = ()) -> Recommender:
        """What `save` wrote into `folder`. Raises DataError where it is not all there.

        allow_targets: packages, such as `my_package`, that the model's classes may come from
            besides twotower and torch.nn. Raises ConfigError for a model that names any other
            code, none of which was run.
        """
        missing = [name for name in _FILES if not (folder / name).is_file()]
        if missing:
            raise DataError(f"{folder} holds no whole model: {', '.join(missing)} not found")
        tower, of_train = _stored(folder / _TOWER), _of_train(folder / _ROWS)
        known = {key: pl.read_parquet(folder / file) for key, file in _KNOWN.items()}
        users = _side("user", known[USER], of_train["users"])
        items = _side("item", known[ITEM], of_train["items"])
        history = pl.read_parquet(folder / _HISTORY)
        weights = _weights(folder / _WEIGHTS)
        node = without_encoder(tower, weights)
        made = build_stored("tower", node, TowerFactory, allow_targets)
        model = TwoTower.build(made, users=users, items=items, seed=0)
        _load_weights(model, weights, folder / _WEIGHTS)
        return cls(
            model=model,
            tower=tower,
            vocabulary=Vocabulary(known[USER][USER], known[ITEM][ITEM]),
            histories=Histories.of(
                torch.from_numpy(history["user_row"].to_numpy(writable=True)),
                torch.from_numpy(history["item_row"].to_numpy(writable=True)),
                users.n,
                timed=True,
            ),
            users=users,
            items=items,
        )


def _stored(path: Path) -> dict[str, Any]:
    """Plain containers. Raises DataError for what is no mapping in YAML."""
    try:
        content = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as plain YAML: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path} holds no mapping")
    return content


def _of_train(path: Path) -> dict[str, int]:
    """How many of the `users` and `items` are of train. Raises DataError where it is not there."""
    of_train = _stored(path).get("of_train")
    keys = {"users", "items"}
    if not isinstance(of_train, dict) or {k for k in keys if type(of_train.get(k)) is int} != keys:
        raise DataError(f"{path}: of_train must have the numbers `users` and `items`")
    return of_train


def _weights(path: Path) -> dict[str, Tensor]:
    """Raises DataError where the file holds anything but tensors by name."""
    try:
        weights = torch.load(path, weights_only=True)
    except (RuntimeError, UnpicklingError, EOFError) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{path} does not hold the weights of a model: {reason}") from error
    if not isinstance(weights, dict) or not all(map(torch.is_tensor, weights.values())):
        raise DataError(f"{path} does not hold the weights of a model: must be tensors by name")
    return weights


def _load_weights(model: TwoTower, weights: dict[str, Tensor], path: Path) -> None:
    """Raises DataError where they are those of another model."""
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{path} does not hold the weights of this model: {reason}") from error


def _side(kind: Literal["user", "item"], known: pl.DataFrame, n_train: int) -> Side:
    """`known` has the ids in its first column, features in the others."""
    features = known.drop(known.columns[0]) if known.width > 1 else None
    return Side(kind, known.height, n_train, features)


def _row_numbers(known: pl.Series, ids: pl.Series) -> Tensor:
    """[n] int64: the place of each of `ids` in `known`, -1 for those that it lacks."""
    places = pl.DataFrame({"id": known.cast(pl.String)}).with_row_index("row")
    asked = pl.DataFrame({"id": ids.cast(pl.String)})
    found = asked.join(places, on="id", how="left", maintain_order="left")["row"]
    return torch.from_numpy(found.cast(pl.Int64).fill_null(-1).to_numpy(writable=True))


def _check(k: Any, drop_seen: Any) -> None:
    """Raises ConfigError for arguments that are none."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ConfigError(f"k: got {k!r}; must be an integer >= 1")
    if not isinstance(drop_seen, bool | np.bool_):
        raise ConfigError(f"drop_seen: got {drop_seen!r}; must be True or False")


def _rows(known: pl.Series, users: Any) -> Tensor:
    """The places of `users` (None: all) in `known`. Raises DataError for one that it lacks."""
    if users is None:
        return torch.arange(len(known))
    asked = asked_ids(users, "users")
    rows = _row_numbers(known, asked)
    unknown = asked.filter(pl.Series((rows < 0).numpy()))
    if len(unknown):
        raise DataError(
            f"users: {len(unknown)} of {len(asked)} are not among the {len(known):,} users "
            f"that the model knows, the first is {unknown[0]!r}; must be such as "
            f"{', '.join(map(repr, known.head(3)))}"
        )
    return rows
