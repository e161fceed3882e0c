"""The files of the config tree, uncomposed: which choice a node is, and its values there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from twotower.config.instantiate import PARTIAL, TARGET
from twotower.config.tree import CONF_DIR, choices, file_of

__all__ = [
    "PLUMBING",
    "Recipe",
    "default_choices",
    "fillings",
    "keys",
    "leaves",
    "nested_groups",
    "recipe",
    "root_values",
    "selector",
]

PLUMBING = (TARGET, PARTIAL, "_convert_", "_recursive_")  # Hydra's own keys of a node
_ROOT = "train"


@dataclass(frozen=True)
class Recipe:
    """A file of a group, uncomposed: interpolations are text.

    values: its values, over those of the files of the same group that it begins with.
    parts: by the key below its own, the group and the choice that fill it.
    """

    values: Mapping[str, Any]
    parts: Mapping[str, tuple[str, str]]


@cache
def recipe(group: str, choice: str) -> Recipe:
    """Read the file `<group>/<choice>.yaml`; one that does not exist has no values."""
    path = file_of(group, choice)
    if path is None:  # a base that only the folder of a user has
        return Recipe({}, {})
    content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    values: dict[str, Any] = {}
    parts: dict[str, tuple[str, str]] = {}
    for entry in content.pop("defaults", []):
        if isinstance(entry, str) and entry != "_self_":
            base = recipe(group, entry)
            values, parts = {**values, **base.values}, {**parts, **base.parts}
        elif isinstance(entry, dict):
            for name, chosen in entry.items():
                source, _, key = name.partition("@")
                nested = f"{group}/{source}"  # unless it starts at the root
                filled = source.removeprefix("/") if source.startswith("/") else nested
                parts[key or source] = (filled, chosen)
    return Recipe(_merged(values, content), parts)


@cache
def _train() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(
        (CONF_DIR / f"{_ROOT}.yaml").read_text(encoding="utf-8")
    )
    return content


def root_values() -> dict[str, Any]:
    """Return the values of `conf/train.yaml` that belong to no group."""
    return {key: value for key, value in _train().items() if key not in ("defaults", "hydra")}


@cache
def default_choices() -> dict[str, str]:
    """Return by group the choice of `conf/train.yaml`; groups that take a list are left out."""
    entries = [entry for entry in _train()["defaults"] if isinstance(entry, dict)]
    return {
        group: choice
        for entry in entries
        for group, choice in entry.items()
        if isinstance(choice, str) and not group.startswith("override ")
    }


@dataclass(frozen=True)
class Filling:
    """A choice at one of the keys that it can fill.

    Attributes:
        at: the key of the node, such as `tower.encoder`.
        group: the group that fills it, such as `tower/encoder`.
        choice: such as `gru`.
        recipe: the file of the choice.
    """

    at: str
    group: str
    choice: str
    recipe: Recipe

    @property
    def override(self) -> str:
        """The override that selects it: `tower/encoder=gru`."""
        return f"{selector(self.group, self.at)}={self.choice}"


@cache
def fillings() -> tuple[Filling, ...]:
    """Walk the config tree: return each choice at each key that it can fill, outer keys first.

    Two levels are followed, since a pair of towers may hold pairs without end. Groups that take a
    list are left out: their choices are selected in another form.
    """
    outer = _fillings({group.replace("/", "."): group for group in default_choices()})
    inner = {
        f"{each.at}.{key}": group for each in outer for key, (group, _) in each.recipe.parts.items()
    }
    return (*outer, *_fillings(inner))


def _fillings(groups: Mapping[str, str]) -> list[Filling]:
    """groups: by the key that they fill."""
    return [
        Filling(at, group, choice, recipe(group, choice))
        for at, group in groups.items()
        for choice in choices(group)
    ]


@cache
def keys() -> dict[str, tuple[str, ...]]:
    """Return every key of the config tree with the overrides that select a choice which has it.

    A key of the root config has no overrides.
    """
    found: dict[str, list[str]] = {path: [] for path, _ in leaves(root_values())}
    for each in fillings():
        for path, _ in leaves(each.recipe.values):
            if path.rpartition(".")[2] not in PLUMBING:
                found.setdefault(f"{each.at}.{path}", []).append(each.override)
    return {key: tuple(overrides) for key, overrides in sorted(found.items())}


@cache
def nested_groups() -> frozenset[str]:
    """Return the groups within another, such as `tower/encoder`."""
    return frozenset(each.group for each in fillings() if "/" in each.group)


def selector(group: str, at: str) -> str:
    """Return the left side of the override that selects a choice of `group` for the node at `at`.

    Such as `tower/encoder`, or `tower/encoder@tower.user.encoder` for a node in another place.
    """
    return group if at == group.replace("/", ".") else f"{group}@{at}"


def leaves(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield values by their path below `node`; lists and empty mappings are values."""
    for key, value in node.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        known = merged.get(key)
        both = isinstance(known, Mapping) and isinstance(value, Mapping)
        merged[key] = _merged(known, value) if both else value  # type: ignore[arg-type]
    return merged
