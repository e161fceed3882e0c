"""Any user tower with any item tower."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import PositiveInt
from torch import Generator, nn

from twotower.config import Contract
from twotower.core.component import component
from twotower.core.errors import ConfigError, below
from twotower.tower.base import HistoryEncoder, Tower, TowerFactory
from twotower.types import Side

__all__ = ["tower_of_pair"]


@component
def tower_of_pair(
    emb_dim: PositiveInt,
    similarity: Literal["dot", "cosine"],
    user: TowerFactory,
    item: TowerFactory,
    *,
    side: Side,
    generator: Generator,
) -> Annotated[nn.Module, Contract(Tower, HistoryEncoder)]:
    """Return the tower of one side: from `user` for users, from `item` for items.

    Args:
        emb_dim: Length of the embeddings; YAML passes it on to both towers.
        similarity: As `emb_dim`.
        user: Makes the user tower.
        item: Makes the item tower.
        side: Users or items.
        generator: Source of the initial weights.

    Raises:
        ConfigError: If the tower raises it, or if the item tower reads histories of users.
    """
    with below("tower", side.kind):
        tower = {"user": user, "item": item}[side.kind](side=side, generator=generator)
    if side.kind == "item" and isinstance(tower, HistoryEncoder):
        raise ConfigError(
            "tower.item: got a tower that reads histories of users; expected one of items"
        )
    return tower


def _conflicts(node: Mapping[str, Any], path: str) -> Iterator[str]:
    """Yield an error if the towers differ in emb_dim or similarity, or only items have a bias."""
    user, item = node.get("user"), node.get("item")
    biased = isinstance(item, Mapping) and item.get("bias") is True
    if biased and not (isinstance(user, Mapping) and user.get("bias") is True):
        yield f"{path}.item.bias: got true; expected false, or {path}.user=embedding with bias=true"
    for side in ("user", "item"):
        tower = node.get(side)
        for key in ("emb_dim", "similarity"):
            if isinstance(tower, Mapping) and tower.get(key) != node.get(key):
                yield (
                    f"{path}.{side}.{key}: got {tower.get(key)}; expected that of both, "
                    f"{path}.{key}={node.get(key)}"
                )


tower_of_pair.conflicts = _conflicts  # type: ignore[attr-defined]
