"""The folder that a trained model is saved to: weights, the tower's config, ids and histories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import yaml
from safetensors.torch import save_file
from torch import Tensor

from twotower.config import build_stored
from twotower.core.checksums import CHECKSUMS, verify_checksums, write_checksums
from twotower.core.errors import DataError
from twotower.core.files import write_atomically
from twotower.core.secrets import mask_all
from twotower.model import TwoTower
from twotower.serving import stored_values as values
from twotower.tower.prior import TwoTowerFactory
from twotower.tower.text.sentence import without_encoder
from twotower.types import ITEM, USER, Histories, Side, Vocabulary

__all__ = ["INNER", "StoredModel", "is_model_folder", "load_model", "model_folder"]
__all__ += ["save_model", "with_features"]

INNER = Path("artifacts", "model")  # in the folder of an MLflow model

_WEIGHTS, _TOWER, _ROWS, _USERS, _ITEMS, _HISTORY, _ = _FILES = (
    "weights.safetensors",
    "tower.yaml",
    "rows.yaml",
    "users.parquet",
    "items.parquet",
    "history.parquet",
    CHECKSUMS,
)


class StoredModel(NamedTuple):
    """What the folder holds; the fields are those of `Recommender`."""

    model: TwoTower
    tower: Mapping[str, Any]
    vocabulary: Vocabulary
    histories: Histories
    users: Side
    items: Side


def model_folder(folder: Path) -> Path:
    """Return where the model's own files are: in `folder`, or further down in an MLflow model."""
    inner = folder / INNER
    return inner if (inner / _TOWER).is_file() else folder


def is_model_folder(folder: Path) -> bool:
    """Return whether `folder` holds a model, or a part of one."""
    try:
        return (model_folder(folder) / _TOWER).is_file()
    except (OSError, ValueError):  # a name that no folder can have
        return False


def save_model(stored: StoredModel, folder: Path) -> None:
    """Write `stored` to `folder`, which is created or replaced as a whole.

    Raises:
        DataError: `folder` holds other files, which would be lost.
    """
    others = sorted({p.name for p in folder.iterdir()} - {*_FILES}) if folder.is_dir() else []
    if others:
        raise DataError(
            f"{folder} holds {others[0]!r}, which is no file of a model; expected a new or empty "
            "folder, or one that holds a model alone"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(folder, lambda scratch: _write(stored, scratch))


def _write(stored: StoredModel, folder: Path) -> None:
    folder.mkdir()
    save_file(_contiguous(stored.model.state_dict()), folder / _WEIGHTS)
    (folder / _TOWER).write_text(yaml.safe_dump(mask_all(stored.tower), sort_keys=False))
    (folder / _WEIGHTS).chmod((folder / _TOWER).stat().st_mode)  # safetensors: for the owner alone
    trained = {"users": stored.users.n_train, "items": stored.items.n_train}
    (folder / _ROWS).write_text(yaml.safe_dump({"of_train": trained}))
    with_features(USER, stored.vocabulary.users, stored.users).write_parquet(folder / _USERS)
    with_features(ITEM, stored.vocabulary.items, stored.items).write_parquet(folder / _ITEMS)
    rows, columns = stored.histories.rows.numpy(), stored.histories.items.numpy()
    pl.DataFrame({"user_row": rows, "item_row": columns}).write_parquet(folder / _HISTORY)
    write_checksums(folder)


def _contiguous(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors as safetensors takes them: on the CPU, none sharing memory."""
    found: dict[str, Tensor] = {}
    places: set[int] = set()
    for name, tensor in weights.items():
        kept = tensor.detach().cpu().contiguous()
        if kept.numel() and kept.untyped_storage().data_ptr() in places:
            kept = kept.clone()
        places.add(kept.untyped_storage().data_ptr())
        found[name] = kept
    return found


def load_model(folder: Path, allow_targets: Sequence[str] = ()) -> StoredModel:
    """Return what `save_model` wrote to `folder`.

    Args:
        folder: The folder, or that of the MLflow model around it.
        allow_targets: Packages, such as `my_package`, that the model's classes may come from in
            addition to twotower and torch.nn.

    Raises:
        DataError: A file is missing or damaged, or its values do not fit the others'.
        ConfigError: The model names other code. None of that code was run.
    """
    folder = model_folder(folder)
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        raise DataError(f"{folder} holds no complete model: {', '.join(missing)} not found")
    _refuse_links(folder)
    verify_checksums(folder)
    tower, of_train = values.mapping(folder / _TOWER), values.of_train(folder / _ROWS)
    users, user_ids = values.side("user", folder / _USERS, of_train["users"])
    items, item_ids = values.side("item", folder / _ITEMS, of_train["items"])
    rows, columns = values.history(folder / _HISTORY, users.n, items.n)
    weights = values.weights(folder / _WEIGHTS)
    factory = build_stored("tower", without_encoder(tower, weights), TwoTowerFactory, allow_targets)
    try:
        model = TwoTower.build(factory, users=users, items=items, seed=0)
    except (RuntimeError, MemoryError) as error:  # of torch, such as for sizes beyond memory
        raise DataError(f"{folder / _TOWER}: the model cannot be built: {error}") from error
    _load_weights(model, weights, folder / _WEIGHTS)
    histories = Histories.of(rows, columns, users.n, timed=True)
    return StoredModel(model, tower, Vocabulary(user_ids, item_ids), histories, users, items)


def _refuse_links(folder: Path) -> None:
    """Raise DataError for a link out of `folder`: it may lead to what its author may not read."""
    for name in _FILES:
        if not (folder / name).resolve().is_relative_to(folder.resolve()):
            raise DataError(f"{folder / name} is a link out of the model's folder; copy the file")


def with_features(key: str, ids: pl.Series, side: Side) -> pl.DataFrame:
    """Return `ids` as the column `key`, and the features of `side` next to it."""
    frame = ids.to_frame(key)
    return frame if side.features is None else frame.hstack(side.features)


def _load_weights(model: TwoTower, weights: dict[str, Tensor], path: Path) -> None:
    """Set the weights of `model`. Raise DataError if they belong to another model."""
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} does not hold the weights of this model: {reason}") from error
