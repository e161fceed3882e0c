"""Any user tower with any item tower."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import PositiveInt
from torch import Generator, nn

from twotower.config import Contract
from twotower.core.component import arguments_of, component
from twotower.core.errors import ConfigError, ErrorEntry, errors_under
from twotower.tower.base import HistoryEncoder, Tower, TowerFactory
from twotower.types import Side

__all__ = ["tower_of_pair"]


def _towers_agree(
    emb_dim: int, similarity: str, user: TowerFactory, item: TowerFactory
) -> Iterator[ErrorEntry]:
    """Yield an error if the towers differ in emb_dim or similarity."""
    for side, tower in (("user", user), ("item", item)):
        given = arguments_of(tower)
        for key, both in (("emb_dim", emb_dim), ("similarity", similarity)):
            if key in given and given[key] != both:
                valid = f"expected that of both, {key}={both}"
                yield ErrorEntry(f"{side}.{key}", given[key], valid=valid)


def _biases_agree(user: TowerFactory, item: TowerFactory) -> Iterator[ErrorEntry]:
    """Yield an error if only items have a bias: the user tower has no constant 1 to match it."""
    if arguments_of(item).get("bias") is True and arguments_of(user).get("bias") is not True:
        valid = "must be false, or the user tower embedding with bias=true"
        yield ErrorEntry("item.bias", True, valid=valid)


@component(rules=(_towers_agree, _biases_agree))
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
    with errors_under(side.kind):
        tower = {"user": user, "item": item}[side.kind](side=side, generator=generator)
    if side.kind == "item" and isinstance(tower, HistoryEncoder):
        wrong = "got a tower that reads histories of users"
        raise ConfigError(ErrorEntry("item", problem=wrong, valid="expected one of items"))
    return tower
