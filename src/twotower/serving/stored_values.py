"""The files of a saved model, read and checked: a damaged one must not give wrong lists."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any, Literal

import polars as pl
import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from twotower.core.errors import DataError
from twotower.types import ITEM, USER, Side

__all__ = ["history", "mapping", "of_train", "side", "weights"]

_MOST_VALUES, _DEEPEST = 10_000, 50  # of a YAML file


def mapping(path: Path) -> dict[str, Any]:
    """Return a YAML file as plain containers. Raise DataError unless it holds a mapping."""
    try:
        content = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"{path} cannot be read as plain YAML: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path} holds no mapping")
    _require_small(content, path)
    return content


def _require_small(content: dict[str, Any], path: Path) -> None:
    """Raise DataError if aliases make a short file endless, or nesting makes it too deep to walk.

    An aliased value counts each time that it is used.
    """
    waiting: list[tuple[Any, int]] = [(content, 0)]
    for n in count():
        if not waiting:
            return
        value, depth = waiting.pop()
        if n >= _MOST_VALUES or depth > _DEEPEST:
            raise DataError(
                f"{path} must have at most {_MOST_VALUES:,} values, in at most {_DEEPEST} levels"
            )
        if isinstance(value, dict | list):
            inner = value.values() if isinstance(value, dict) else value
            waiting.extend((each, depth + 1) for each in inner)


def of_train(path: Path) -> dict[str, int]:
    """Return the numbers of `users` and `items` in train. Raise DataError if one is missing."""
    found = mapping(path).get("of_train")
    keys = {"users", "items"}
    if not isinstance(found, dict) or {k for k in keys if type(found.get(k)) is int} != keys:
        raise DataError(f"{path}: of_train must have the numbers `users` and `items`")
    return found


def weights(path: Path) -> dict[str, Tensor]:
    """Return tensors by name. Raise DataError if the file holds anything else, or NaN."""
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError(f"{path} does not hold the weights of a model: {error}") from error
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise DataError(f"{path}: {name} has values that are not finite numbers")
    return tensors


def side(kind: Literal["user", "item"], path: Path, n_train: int) -> tuple[Side, pl.Series]:
    """Return the users, or items, of a file, and their ids.

    Raises:
        DataError: Ids are missing or repeated, or there are fewer than `n_train`.
    """
    known = _table(path)
    key = USER if kind == "user" else ITEM
    if known.columns[:1] != [key]:
        raise DataError(f"{path}: expected {key!r} as the first column, got {known.columns[:1]}")
    ids, features = known[key], known.drop(key) if known.width > 1 else None
    if ids.dtype not in (pl.Int64, pl.String) or ids.null_count() or ids.n_unique() < len(ids):
        raise DataError(f"{path}: {key} must be integers or text, each once and none missing")
    if not 0 <= n_train <= len(ids):
        raise DataError(f"{path} has {len(ids):,} rows, of which {n_train:,} must be of train")
    return Side(kind, len(ids), n_train, features), ids


def history(path: Path, n_users: int, n_items: int) -> tuple[Tensor, Tensor]:
    """Return the row numbers of users and items, [n] int32 or int64 each.

    Raises:
        DataError: A number is missing, or is not below `n_users` or `n_items`.
    """
    table = _table(path)
    found = []
    for name, n in (("user_row", n_users), ("item_row", n_items)):
        if table.schema.get(name) not in (pl.Int32, pl.Int64) or table[name].null_count():
            raise DataError(f"{path}: {name} must be a column of integers, none missing")
        wrong = table[name].filter(~table[name].is_between(0, n - 1))
        if len(wrong):
            raise DataError(f"{path}: {name} must be from 0 to {n - 1:,}, got {wrong[0]:,}")
        found.append(torch.from_numpy(table[name].to_numpy(writable=True)))
    return found[0], found[1]


def _table(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path, glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} cannot be read as Parquet: {error}") from error
