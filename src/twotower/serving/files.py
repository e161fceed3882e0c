"""The folder that a trained model is saved to: weights, the tower's config, ids and histories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal, NamedTuple

import polars as pl
import torch
import yaml
from torch import Tensor

from twotower.config import build_stored
from twotower.core.errors import DataError
from twotower.core.secrets import mask_all
from twotower.model import TwoTower
from twotower.tower import TowerFactory
from twotower.tower.text.sentence import without_encoder
from twotower.types import ITEM, USER, Histories, Side, Vocabulary

__all__ = ["MODEL_FOLDER", "StoredModel", "is_model_folder", "load_model", "save_model"]
__all__ += ["with_features"]

MODEL_FOLDER = "model"  # in a run's artifacts

_WEIGHTS, _TOWER, _ROWS, _USERS, _ITEMS, _HISTORY = _FILES = (
    "weights.pt",
    "tower.yaml",
    "rows.yaml",
    "users.parquet",
    "items.parquet",
    "history.parquet",
)
_KNOWN = {USER: _USERS, ITEM: _ITEMS}


class StoredModel(NamedTuple):
    """What the folder holds; the fields are those of `Recommender`."""

    model: TwoTower
    tower: Mapping[str, Any]
    vocabulary: Vocabulary
    histories: Histories
    users: Side
    items: Side


def is_model_folder(folder: Path) -> bool:
    """Return whether `folder` holds a model, or a part of one."""
    try:
        return (folder / _TOWER).is_file()
    except (OSError, ValueError):  # a name that no folder can have
        return False


def save_model(stored: StoredModel, folder: Path) -> None:
    """Write `stored` to `folder`, which is created. `torch.load(weights_only=True)` reads the
    weights."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(stored.model.state_dict(), folder / _WEIGHTS)
    (folder / _TOWER).write_text(yaml.safe_dump(mask_all(stored.tower), sort_keys=False))
    trained = {"users": stored.users.n_train, "items": stored.items.n_train}
    (folder / _ROWS).write_text(yaml.safe_dump({"of_train": trained}))
    with_features(USER, stored.vocabulary.users, stored.users).write_parquet(folder / _USERS)
    with_features(ITEM, stored.vocabulary.items, stored.items).write_parquet(folder / _ITEMS)
    rows, columns = stored.histories.rows.numpy(), stored.histories.items.numpy()
    pl.DataFrame({"user_row": rows, "item_row": columns}).write_parquet(folder / _HISTORY)


def load_model(folder: Path, allow_targets: Sequence[str] = ()) -> StoredModel:
    """Return what `save_model` wrote to `folder`.

    Args:
        folder: The folder.
        allow_targets: Packages, such as `my_package`, that the model's classes may come from in
            addition to twotower and torch.nn.

    Raises:
        DataError: A file is missing or damaged.
        ConfigError: The model names other code. None of that code was run.
    """
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        raise DataError(f"{folder} holds no complete model: {', '.join(missing)} not found")
    tower, of_train = _mapping(folder / _TOWER), _of_train(folder / _ROWS)
    known = {key: pl.read_parquet(folder / file) for key, file in _KNOWN.items()}
    users = _side("user", known[USER], of_train["users"])
    items = _side("item", known[ITEM], of_train["items"])
    history = pl.read_parquet(folder / _HISTORY)
    weights = _weights(folder / _WEIGHTS)
    factory = build_stored("tower", without_encoder(tower, weights), TowerFactory, allow_targets)
    model = TwoTower.build(factory, users=users, items=items, seed=0)
    _load_weights(model, weights, folder / _WEIGHTS)
    rows, columns = (
        torch.from_numpy(history[name].to_numpy(writable=True)) for name in ("user_row", "item_row")
    )
    vocabulary = Vocabulary(known[USER][USER], known[ITEM][ITEM])
    histories = Histories.of(rows, columns, users.n, timed=True)
    return StoredModel(model, tower, vocabulary, histories, users, items)


def with_features(key: str, ids: pl.Series, side: Side) -> pl.DataFrame:
    """Return `ids` as the column `key`, and the features of `side` next to it."""
    frame = ids.to_frame(key)
    return frame if side.features is None else frame.hstack(side.features)


def _mapping(path: Path) -> dict[str, Any]:
    """Return a YAML file as plain containers. Raise DataError unless it holds a mapping."""
    try:
        content = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as plain YAML: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path} holds no mapping")
    return content


def _of_train(path: Path) -> dict[str, int]:
    """Return the numbers of `users` and `items` in train. Raise DataError if one is missing."""
    of_train = _mapping(path).get("of_train")
    keys = {"users", "items"}
    if not isinstance(of_train, dict) or {k for k in keys if type(of_train.get(k)) is int} != keys:
        raise DataError(f"{path}: of_train must have the numbers `users` and `items`")
    return of_train


def _weights(path: Path) -> dict[str, Tensor]:
    """Return tensors by name. Raise DataError if the file holds anything else."""
    try:
        weights = torch.load(path, weights_only=True)
    except (RuntimeError, UnpicklingError, EOFError) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{path} does not hold the weights of a model: {reason}") from error
    if not isinstance(weights, dict) or not all(map(torch.is_tensor, weights.values())):
        raise DataError(f"{path} does not hold the weights of a model: must be tensors by name")
    return weights


def _load_weights(model: TwoTower, weights: dict[str, Tensor], path: Path) -> None:
    """Set the weights of `model`. Raise DataError if they belong to another model."""
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{path} does not hold the weights of this model: {reason}") from error


def _side(kind: Literal["user", "item"], known: pl.DataFrame, n_train: int) -> Side:
    """Return the side of `known`: ids in its first column, features in the others."""
    features = known.drop(known.columns[0]) if known.width > 1 else None
    return Side(kind, known.height, n_train, features)
