"""The files of the config tree, uncomposed: which choice a node is, and its values there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from twotower.config.instantiate import PARTIAL, TARGET
from twotower.config.tree import CONF_DIR, choices

__all__ = [
    "PLUMBING",
    "Recipe",
    "default_choices",
    "leaves",
    "mounts",
    "nearest",
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
    """Read the file `conf/<group>/<choice>.yaml`."""
    path = CONF_DIR / group / f"{choice}.yaml"
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


@cache
def mounts() -> dict[str, str]:
    """Return by the key of a node the group that fills it: `tower/encoder` for `tower.encoder`."""
    found = {group: group for group in default_choices()}
    for group in default_choices():
        for choice in choices(group):
            for key, (source, _) in recipe(group, choice).parts.items():
                found.setdefault(f"{group}.{key}", source)
    return found


def nested_groups() -> set[str]:
    """Return the groups within another, such as `tower/encoder`."""
    return {group for group in mounts().values() if "/" in group}


def selector(group: str, at: str) -> str:
    """Return the left side of the override that selects a choice of `group` for the node at `at`.

    Such as `tower/encoder`, or `tower/encoder@tower.user.encoder` for a node in another place.
    """
    return group if at == group.replace("/", ".") else f"{group}@{at}"


def nearest(group: str, node: Mapping[str, Any]) -> str | None:
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
