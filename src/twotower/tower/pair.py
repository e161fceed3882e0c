"""Any user tower with any item tower."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import PositiveInt
from torch import Generator, nn

from twotower.config import Contract
from twotower.core.errors import ConfigError, below
from twotower.tower.base import HistoryEncoder, Tower, TowerFactory
from twotower.types import Side

__all__ = ["tower_of_pair"]


def tower_of_pair(
    emb_dim: PositiveInt,
    similarity: Literal["dot", "cosine"],
    user: TowerFactory,
    item: TowerFactory,
    *,
    side: Side,
    generator: Generator,
) -> Annotated[nn.Module, Contract(Tower, HistoryEncoder)]:
    """The tower of that side: what `user` gives for users, what `item` gives for items.

    emb_dim, similarity: those of both, which YAML hands on to them. Raises ConfigError where the
    tower does, and where the item tower is one that reads histories of users.
    """
    with below("tower", side.kind):
        tower = {"user": user, "item": item}[side.kind](side=side, generator=generator)
    if side.kind == "item" and isinstance(tower, HistoryEncoder):
        raise ConfigError(
            "tower.item: got a tower that reads what users had met; valid is one of items"
        )
    return tower


def _conflicts(node: Mapping[str, Any], path: str) -> Iterator[str]:
    """Embeddings of users and items have one length and are compared in one way, and a bias of
    items needs users who end in 1."""
    user, item = node.get("user"), node.get("item")
    biased = isinstance(item, Mapping) and item.get("bias") is True
    if biased and not (isinstance(user, Mapping) and user.get("bias") is True):
        yield f"{path}.item.bias: got true; valid is false, or {path}.user=embedding with bias too"
    for side in ("user", "item"):
        tower = node.get(side)
        for key in ("emb_dim", "similarity"):
            if isinstance(tower, Mapping) and tower.get(key) != node.get(key):
                yield (
                    f"{path}.{side}.{key}: got {tower.get(key)}; valid is that of both, "
                    f"{path}.{key}={node.get(key)}"
                )


tower_of_pair.conflicts = _conflicts  # type: ignore[attr-defined]
