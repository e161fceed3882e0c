"""Params of a run: values of a config that people vary, by the names that runs share."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from twotower.config.instantiate import TARGET
from twotower.config.recipes import (
    PLUMBING,
    Recipe,
    default_choices,
    leaves,
    recipe,
    root_values,
)
from twotower.config.short_names import LEFT_OUT, short_name
from twotower.config.tree import choices, is_group

__all__ = ["Param", "params"]

_RELATIVE = re.compile(r"\$\{(?P<dots>\.+)(?P<key>\w+)\}")
_KEY = re.compile(r"[\w-]+", re.ASCII)

Nodes = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Param:
    """A value, or the choice of a group.

    Attributes:
        path: its key, such as `tower.emb_dim`; for a choice the key of its node, such as `tower`.
        is_default: whether it is the value in the file of its choice, or in `conf/train.yaml`.
    """

    path: str
    value: Any
    is_default: bool

    @property
    def name(self) -> str:
        return short_name(self.path)


def params(config: Mapping[str, Any]) -> list[Param]:
    """Return the params of a resolved config, in its order, a group's choice before its values.

    Hydra's own keys, settings of where and how the run is carried out, and values that only repeat
    another key's are left out.
    """
    return list(_of_node((config,), "", Recipe(root_values(), {})))


def _of_node(nodes: Nodes, at: str, written: Recipe) -> Iterator[Param]:
    """nodes: from the root to the node itself. written: the values in its file."""
    for key, value in nodes[-1].items():
        path = f"{at}{key}"
        if key in PLUMBING or path in LEFT_OUT:
            continue
        if isinstance(value, Mapping) and not _has_plain_keys(value):
            yield Param(path, dict(value), written.values.get(key) == value)
        elif isinstance(value, Mapping) and TARGET in value:
            yield from _of_component((*nodes, value), path, written)
        elif isinstance(value, Mapping):
            inner = written.values.get(key)
            inner = inner if isinstance(inner, Mapping) else {}
            parts = {
                name.removeprefix(f"{key}."): chosen
                for name, chosen in written.parts.items()
                if name.startswith(f"{key}.")
            }
            yield from _of_node((*nodes, value), f"{path}.", Recipe(inner, parts))
        elif not _repeats(value, written.values.get(key), nodes):
            yield Param(path, value, key in written.values and written.values[key] == value)


def _has_plain_keys(node: Mapping[str, Any]) -> bool:
    """Return whether its keys can be part of a param's name."""
    return all(isinstance(key, str) and _KEY.fullmatch(key) for key in node)


def _of_component(nodes: Nodes, path: str, around: Recipe) -> Iterator[Param]:
    node, key = nodes[-1], path.rpartition(".")[2]
    group, default = around.parts.get(key, (_group_of(node[TARGET], path), None))
    default = default or default_choices().get(path.replace(".", "/"))
    choice = _nearest(group, node) if group is not None else None
    yield Param(path, choice or _called(str(node[TARGET])), choice == default)
    written = recipe(group, choice) if group is not None and choice is not None else Recipe({}, {})
    over = around.values.get(key)  # values in the enclosing file come last
    if isinstance(over, Mapping):
        written = Recipe({**written.values, **over}, written.parts)
    yield from _of_node(nodes, f"{path}.", written)


def _nearest(group: str, node: Mapping[str, Any]) -> str | None:
    """Return the choice of `group` that `node` most likely comes from; None if none has its target.

    This is the choice with the same target and the fewest different values, the default first.
    """
    known = [name for name in choices(group) if recipe(group, name).values.get(TARGET)]
    alike = [name for name in known if recipe(group, name).values[TARGET] == node.get(TARGET)]
    default = default_choices().get(group)
    own = dict(leaves(node))

    def distance(name: str) -> tuple[int, bool]:
        written = dict(leaves(recipe(group, name).values))
        return sum(own.get(key) != value for key, value in written.items()), name != default

    return min(alike, key=distance, default=None)


def _group_of(target: str, path: str) -> str | None:
    """Return the group by the key of the node, else by the package of its target."""
    packages = target.split(".")
    named = (path.replace(".", "/"), "/".join(packages[1:-2]))
    return next((name for name in named if is_group(name)), None)


def _called(target: str) -> str:
    """Return `ease` for `twotower.baselines.ease.Ease`, and for `mine.ease.Ease` alike.

    Where a class of another package is not called as its file is, that is the class name.
    """
    parts = target.split(".")
    alike = len(parts) > 2 and parts[-2].replace("_", "") == parts[-1].lower()
    return parts[-2] if alike or (parts[0] == "twotower" and len(parts) > 2) else parts[-1]


def _repeats(value: Any, written: Any, nodes: Nodes) -> bool:
    """Return whether the file interpolates the value from another key (`${..emb_dim}`)."""
    found = _RELATIVE.fullmatch(written) if isinstance(written, str) else None
    if found is None or len(found["dots"]) > len(nodes):
        return False
    source = nodes[-len(found["dots"])]
    return found["key"] in source and bool(source[found["key"]] == value)
