"""Params of a run: values of a config that people vary, by the names that runs share."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from twotower.config.identity import ELSEWHERE
from twotower.config.instantiate import TARGET
from twotower.config.recipes import (
    PLUMBING,
    Recipe,
    default_choices,
    leaves,
    mounts,
    nearest,
    recipe,
    root_values,
)
from twotower.config.tree import choices, is_group

__all__ = ["Param", "params", "path_of", "short_name"]

# Not varied to compare models: what is not part of a run's identity, and how a log is read.
_LEFT_OUT = (
    *ELSEWHERE,
    "dataset.cache_dir",
    "dataset.columns",
    "dataset.connect_timeout_s",
    "dataset.digest",
    "dataset.md5",
    "dataset.separator",
    "dataset.timestamp_format",
    "dataset.timestamp_unit",
    "dataset.title",
    "dataset.url",
    "dataset.wheel",
    "folds",
    "hydra",
    "seeds",
)
_RELATIVE = re.compile(r"\$\{(?P<dots>\.+)(?P<key>\w+)\}")
_KEY = re.compile(r"[\w-]+", re.ASCII)
_LONG = "dataset"  # kept in the names of its keys: `path` alone would be unclear

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


@cache
def _names() -> dict[str, str]:
    """Return by last part the path that has it as its short name.

    This is the key nearest to the root of all keys of the config tree with that last part, if only
    one is nearest.
    """
    paths = {path for path, _ in leaves(root_values())}
    paths |= {at for at, group in mounts().items() if at == group.replace("/", ".")}
    for at, group in mounts().items():
        for choice in choices(group):
            paths |= {f"{at}.{path}" for path, _ in leaves(recipe(group, choice).values)}
    named: dict[str, list[str]] = {}
    for path in paths:
        if not path.startswith(f"{_LONG}.") and not _is_left_out(path):
            named.setdefault(path.rpartition(".")[2], []).append(path)
    nearest_root = {end: _shallowest(known) for end, known in named.items()}
    return {end: found[0] for end, found in nearest_root.items() if len(found) == 1}


def _is_left_out(path: str) -> bool:
    return f"{path}.".startswith(tuple(f"{key}." for key in _LEFT_OUT))


def short_name(path: str) -> str:
    """Return `emb_dim` for `tower.emb_dim`: the last part if it is unambiguous, else the path.

    Names depend on the config tree alone, so a key has the same name in every run.
    """
    at = path_of(path)
    end = at.rpartition(".")[2]
    return end if _names().get(end) == at else at


def path_of(key: str) -> str:
    """Return the path that the key of an override sets: `tower.encoder` for `tower/encoder`."""
    return key.partition("@")[2] or key.replace("/", ".")


def _shallowest(paths: list[str]) -> list[str]:
    depth = min(path.count(".") for path in paths)
    return [path for path in paths if path.count(".") == depth]


def _of_node(nodes: Nodes, at: str, written: Recipe) -> Iterator[Param]:
    """nodes: from the root to the node itself. written: the values in its file."""
    for key, value in nodes[-1].items():
        path = f"{at}{key}"
        if key in PLUMBING or path in _LEFT_OUT:
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
    """Whether its keys can be part of a param's name."""
    return all(isinstance(key, str) and _KEY.fullmatch(key) for key in node)


def _of_component(nodes: Nodes, path: str, around: Recipe) -> Iterator[Param]:
    node, key = nodes[-1], path.rpartition(".")[2]
    group, default = around.parts.get(key, (_group_of(node[TARGET], path), None))
    default = default or default_choices().get(path)
    choice = nearest(group, node) if group is not None else None
    yield Param(path, choice or _called(str(node[TARGET])), choice == default)
    written = recipe(group, choice) if group is not None and choice is not None else Recipe({}, {})
    over = around.values.get(key)  # values in the enclosing file come last
    if isinstance(over, Mapping):
        written = Recipe({**written.values, **over}, written.parts)
    yield from _of_node(nodes, f"{path}.", written)


def _group_of(target: str, path: str) -> str | None:
    """Return the group by the key of the node, else by the package of its target."""
    packages = target.split(".")
    named = (path.replace(".", "/"), "/".join(packages[1:-2]))
    return next((name for name in named if is_group(name)), None)


def _called(target: str) -> str:
    """Return `ease` for `twotower.baselines.ease.Ease`, and the class name for other packages."""
    parts = target.split(".")
    return parts[-2] if parts[0] == "twotower" and len(parts) > 2 else parts[-1]


def _repeats(value: Any, written: Any, nodes: Nodes) -> bool:
    """Whether the value is the one that the file interpolates from another key (`${..emb_dim}`)."""
    found = _RELATIVE.fullmatch(written) if isinstance(written, str) else None
    if found is None or len(found["dots"]) > len(nodes):
        return False
    source = nodes[-len(found["dots"])]
    return found["key"] in source and bool(source[found["key"]] == value)
