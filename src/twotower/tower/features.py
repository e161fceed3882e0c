"""The feature tower: users or items by feature columns of any kind, and by their ids."""

from __future__ import annotations

import logging
from itertools import pairwise
from typing import Annotated, Literal

import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Generator, Tensor, nn

from twotower.core.component import component
from twotower.core.errors import ConfigError, ErrorEntry
from twotower.tower.columns import column_encoder, column_width
from twotower.tower.id_vectors import IdVectors
from twotower.tower.kinds import Columns, Kind, column_kinds
from twotower.tower.text import TextFactory
from twotower.types import Side

__all__ = ["FeatureTower"]

logger = logging.getLogger(__name__)

_BLOCK = 8192  # rows that are encoded at a time, so that a whole side fits into memory


@component
class FeatureTower(nn.Module):
    """An MLP over concatenated column vectors, plus, with `id`, a trained vector per train row.

    Covington et al. 2016 (RecSys, "Deep neural networks for YouTube recommendations"). Cold rows
    are served by their features alone. Initial embeddings are about N(0, init_std^2). For the
    similarity `cosine` see EmbeddingTower.
    """

    def __init__(
        self,
        emb_dim: PositiveInt,
        init_std: PositiveFloat,
        similarity: Literal["dot", "cosine"],
        id: bool,
        id_dropout: Annotated[NonNegativeFloat, Field(lt=1)],
        user_columns: Columns,
        item_columns: Columns,
        max_distinct: Annotated[NonNegativeFloat, Field(le=1)],
        vectors: Literal["frozen", "fine_tuned"],
        feature_dim: PositiveInt,
        hidden: list[PositiveInt],
        text: TextFactory,
        *,
        side: Side,
        generator: Generator,
    ) -> None:
        """Build the tower of one side; conf/tower/features.yaml describes the settings.

        A side without features is represented by ids alone, with a warning.

        Raises:
            ConfigError: If columns do not fit the data, or there are neither features nor ids.
        """
        super().__init__()
        columns = {"user": user_columns, "item": item_columns}[side.kind]
        kinds = column_kinds(columns, side, max_distinct)
        if not kinds:
            _without_features(side, columns, id)
        self.cosine = similarity == "cosine"
        self._n = side.n if kinds else side.n_train
        self.ids = IdVectors(side.n_train, emb_dim, init_std, id_dropout, generator) if id else None
        self.columns = nn.ModuleDict()
        for place, (name, kind) in enumerate(kinds.items()):
            assert side.features is not None
            # Names of columns may hold what names of modules may not.
            self.columns[str(place)] = column_encoder(
                kind,
                side.features[name],
                n_train=side.n_train,
                dim=feature_dim,
                text=text,
                tuned=vectors == "fine_tuned",
                generator=generator,
            )
        width = sum(column_width(kind, feature_dim) for kind in kinds.values())
        self.mlp = _mlp([width, *hidden, emb_dim], init_std, generator) if kinds else None

    def forward(self, rows: Tensor) -> Tensor:
        """Return [..., emb_dim] for `rows` ([...] int64), each distinct row encoded once."""
        distinct, places = torch.unique(rows, return_inverse=True)
        vectors = self._blocks(distinct, drop=self.training)
        return vectors.index_select(0, places.flatten()).view(*rows.shape, vectors.shape[-1])

    def table(self) -> Tensor:
        """Return [n, emb_dim] of the whole side, or [n_train, emb_dim] without features."""
        rows = torch.arange(self._n, device=next(self.parameters()).device)
        return self._blocks(rows, drop=False)

    def _blocks(self, rows: Tensor, drop: bool) -> Tensor:
        return torch.cat([self._encoded(block, drop) for block in torch.split(rows, _BLOCK)])

    def _encoded(self, rows: Tensor, drop: bool) -> Tensor:
        """Return [M, emb_dim] for distinct `rows` ([M] int64)."""
        parts = [] if self.ids is None else [self.ids(rows, drop)]
        if self.mlp is not None:
            parts.append(self.mlp(torch.cat([column(rows) for column in self.columns.values()], 1)))
        vectors = torch.stack(parts).sum(0)
        return nn.functional.normalize(vectors, dim=-1) if self.cosine else vectors


def _mlp(widths: list[int], init_std: float, generator: Generator) -> nn.Sequential:
    """Linear layers with ReLUs between; each keeps the scale of its input (He et al. 2015), but
    for the last, which brings it to `init_std`."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        last = len(layers) == 2 * (len(widths) - 2)
        layer = nn.Linear(n_in, n_out, device="meta").to_empty(device="cpu")
        std = (init_std if last else 2**0.5) * n_in**-0.5
        nn.init.normal_(layer.weight, std=std, generator=generator)
        nn.init.zeros_(layer.bias)
        layers += [layer] if last else [layer, nn.ReLU()]
    return nn.Sequential(*layers)


def _without_features(side: Side, columns: Columns | dict[str, Kind], id: bool) -> None:
    """Raise ConfigError if ids are not known either, else warn about columns that are not read."""
    key = f"{side.kind}_columns"
    missing = f"the dataset has no features of {side.kind}s that a tower can read"
    reason = missing if columns else f"{key} is {columns}"
    if not id:
        wrong = f"but {reason}, so nothing distinguishes one row from another"
        valid = f"must be true, or {key} must name columns that the dataset has"
        raise ConfigError(ErrorEntry("id", False, wrong, valid))
    if columns:
        logger.warning(
            "Tower of %ss: %s (tower.%s=%s); it knows them by their ids alone, as tower=embedding "
            "does",
            side.kind,
            missing,
            key,
            columns,
        )
