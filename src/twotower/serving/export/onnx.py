"""Both towers as ONNX graphs: feature towers with their MLP, history towers with their encoder."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from twotower.core.libraries import library
from twotower.serving.export.exported import Exported
from twotower.tower.features import FeatureTower

__all__ = ["write_onnx"]

_OPSET = 17


def write_onnx(model: Exported, folder: Path) -> None:
    """Write `item_tower.onnx` and `user_tower.onnx`, and the ids of their rows as Parquet.

    A tower takes `rows` [B] int64 and returns `vectors` [B, D]. A user tower that reads histories
    takes `items` [B, L], rows of items, the newest last, and `valid` [B, L] bool, False where there
    is none; L is `tower.history_length`.
    """
    library("onnx", "onnx")
    towers, rows = model.recommender.model, (torch.arange(2),)
    items, users = (torch.from_numpy(side.vectors) for side in (model.items, model.users))
    prior = items[:, -1] if towers.prior is not None else None
    items, users = towers.tower_part(items), towers.tower_part(users)
    item_tower = _WithPrior(_by_rows(towers.item_tower, items), prior)
    _write(item_tower, rows, ["rows"], folder / "item_tower.onnx")
    ones = None if prior is None else torch.ones(1)
    if towers.history_length is None:
        user_tower = _WithPrior(_by_rows(towers.user_tower, users), ones)
        _write(user_tower, rows, ["rows"], folder / "user_tower.onnx")
    else:
        shape = (2, towers.history_length)
        past = (torch.zeros(shape, dtype=torch.int64), torch.ones(shape, dtype=torch.bool))
        user_tower = _WithPrior(_Reader(items, towers.user_tower), ones)
        _write(user_tower, past, ["items", "valid"], folder / "user_tower.onnx")
    for side in model.sides:
        side.write_ids(folder)


class _WithPrior(nn.Module):
    """A tower whose embeddings end in the prior of an item, or in 1 for a user."""

    last: Tensor | None

    def __init__(self, tower: nn.Module, last: Tensor | None) -> None:
        super().__init__()
        self.tower = tower
        self.register_buffer("last", last)

    def forward(self, rows: Tensor, *others: Tensor) -> Tensor:
        vectors: Tensor = self.tower(rows, *others)
        if self.last is None:
            return vectors
        last = self.last if len(self.last) == 1 else self.last.index_select(0, rows)
        return torch.cat([vectors, last.expand(vectors.shape[0])[:, None]], -1)


class _Lookup(nn.Module):
    """Finished embeddings by row."""

    table: Tensor

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.register_buffer("table", table)

    def forward(self, rows: Tensor) -> Tensor:
        return self.table.index_select(0, rows)


class _Features(nn.Module):
    """A feature tower whose columns, which do not change after training, are read already."""

    columns: Tensor
    ids: Tensor | None

    def __init__(self, tower: FeatureTower, n: int) -> None:
        super().__init__()
        rows = torch.arange(n)
        with torch.no_grad():
            columns = torch.cat([column(rows) for column in tower.columns.values()], 1)
            ids = None if tower.ids is None else tower.ids(rows, False)
        self.register_buffer("columns", columns)
        self.register_buffer("ids", ids)
        self.mlp, self._cosine = tower.mlp, tower.cosine

    def forward(self, rows: Tensor) -> Tensor:
        assert self.mlp is not None
        vectors: Tensor = self.mlp(self.columns.index_select(0, rows))
        if self.ids is not None:
            vectors = vectors + self.ids.index_select(0, rows)
        return nn.functional.normalize(vectors, dim=-1) if self._cosine else vectors


class _Reader(nn.Module):
    """A history encoder with the item embeddings that it reads."""

    table: Tensor

    def __init__(self, items: Tensor, tower: nn.Module) -> None:
        super().__init__()
        self.register_buffer("table", items)
        self.tower = tower

    def forward(self, items: Tensor, valid: Tensor) -> Tensor:
        vectors: Tensor = self.tower.encode(self.table[items], valid)  # type: ignore[operator]
        return vectors


def _by_rows(tower: nn.Module, table: Tensor) -> nn.Module:
    if isinstance(tower, FeatureTower) and tower.mlp is not None:
        return _Features(tower, len(table))
    return _Lookup(table)


def _write(tower: nn.Module, given: tuple[Tensor, ...], names: list[str], file: Path) -> None:
    with warnings.catch_warnings():
        # torch's newer exporter writes a recurrent network as one copy of its cell per step.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            tower.eval(),
            given,
            file,
            input_names=names,
            output_names=["vectors"],
            dynamic_axes={name: {0: "batch"} for name in (*names, "vectors")},
            opset_version=_OPSET,
            dynamo=False,
        )
