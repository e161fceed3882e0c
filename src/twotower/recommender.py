"""A trained model with all it takes to recommend: original ids, histories, titles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import torch
import yaml

from twotower.config import build
from twotower.errors import DataError
from twotower.evaluation import recommendations_frame, top_k
from twotower.model import TwoTower
from twotower.types import ITEM, USER, ItemLists, Vocabulary

__all__ = ["MODEL_FOLDER", "Recommender"]

MODEL_FOLDER = "model"  # of a run's artifacts

_WEIGHTS, _TOWER, _USERS, _ITEMS, _HISTORY = (
    "weights.pt",
    "tower.yaml",
    "users.parquet",
    "items.parquet",
    "history.parquet",
)
_BLOCK_SCORES = 4_000_000  # scores held at a time, some 30 bytes each; no list depends on it


@dataclass(frozen=True)
class Recommender:
    """Recommends to the users that the model was trained on.

    tower: the config node that both towers were built from.
    history: [n_users] lists of what each user had interacted with when the model was trained.
    items: one row an item that is known more of, key `item_id`; its `title` is shown; or None.
    """

    model: TwoTower
    tower: Mapping[str, Any]
    vocabulary: Vocabulary
    history: ItemLists
    items: pl.DataFrame | None

    def recommend(
        self, users: Sequence[Any] | None, k: int, drop_seen: bool = True
    ) -> pl.DataFrame:
        """The `k` best items for each of `users` (original ids; None: all), best first.

        Columns `user_id`, `item_id`, `rank` (from 1), `score` and, where known, `title`; fewer
        than `k` rows for a user with fewer candidates. Raises DataError for ids that the model was
        not trained on.
        """
        rows = torch.arange(len(self.vocabulary.users)) if users is None else self._rows(users)
        recommendations = top_k(
            self.model.scorer(),
            rows,
            k=k,
            n_users=len(self.vocabulary.users),
            n_items=len(self.vocabulary.items),
            drop=self.history.select(rows) if drop_seen else None,
            block_scores=_BLOCK_SCORES,
        )
        return recommendations_frame(recommendations, self.vocabulary, self.items)

    def _rows(self, users: Sequence[Any]) -> torch.Tensor:
        known = self.vocabulary.users
        asked = pl.Series(USER, [str(user) for user in users], dtype=pl.String)
        places = pl.DataFrame({USER: known.cast(pl.String)}).with_row_index("row")
        found = asked.to_frame().join(places, on=USER, how="left", maintain_order="left")
        unknown = found.filter(pl.col("row").is_null())[USER]
        if len(unknown):
            raise DataError(
                f"users: {len(unknown)} of {len(asked)} are not among the {len(known):,} users "
                f"that the model was trained on, the first is {unknown[0]!r}; valid are such as "
                f"{', '.join(map(repr, known.head(3)))}"
            )
        return torch.from_numpy(found["row"].cast(pl.Int64).to_numpy(writable=True))

    def save(self, folder: Path) -> None:
        """Write weights (`torch.load(weights_only=True)` reads them), ids and histories."""
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(self.model.state_dict(), folder / _WEIGHTS)
        (folder / _TOWER).write_text(yaml.safe_dump(dict(self.tower), sort_keys=False))
        self.vocabulary.users.to_frame(USER).write_parquet(folder / _USERS)
        items = self.vocabulary.items.to_frame(ITEM)
        if self.items is not None:
            items = items.join(self.items, on=ITEM, how="left", maintain_order="left")
        items.write_parquet(folder / _ITEMS)
        rows, columns = self.history.rows.numpy(), self.history.items.numpy()
        pl.DataFrame({"user_row": rows, "item_row": columns}).write_parquet(folder / _HISTORY)

    @classmethod
    def load(cls, folder: Path) -> Recommender:
        """What `save` wrote into `folder`. Raises DataError where it is not all there."""
        missing = [
            name
            for name in (_WEIGHTS, _TOWER, _USERS, _ITEMS, _HISTORY)
            if not (folder / name).is_file()
        ]
        if missing:
            raise DataError(f"{folder} holds no whole model: {', '.join(missing)} not found")
        tower = yaml.safe_load((folder / _TOWER).read_text())
        users = pl.read_parquet(folder / _USERS)[USER]
        items = pl.read_parquet(folder / _ITEMS)
        history = pl.read_parquet(folder / _HISTORY)
        model = TwoTower.build(build(tower), n_users=len(users), n_items=len(items), seed=0)
        model.load_state_dict(torch.load(folder / _WEIGHTS, weights_only=True))
        return cls(
            model=model,
            tower=tower,
            vocabulary=Vocabulary(users, items[ITEM]),
            history=ItemLists.from_pairs(
                torch.from_numpy(history["user_row"].to_numpy(writable=True)),
                torch.from_numpy(history["item_row"].to_numpy(writable=True)),
                len(users),
            ),
            items=items,
        )
