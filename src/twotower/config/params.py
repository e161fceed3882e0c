"""What a person may vary of a config, under the names that runs are compared by."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from twotower.config.recipes import (
    TARGET,
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

# Where and how a run goes, and how a log is read: none of it is varied to compare models.
_LEFT_OUT = (
    "baselines",
    "comparison",
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
    "evaluation.block_scores",
    "evaluation.test",
    "hydra",
    "output_dir",
    "run_name",
    "seeds",
    "folds",
    "tracking",
    "trainer.checkpoint_seconds",
    "trainer.progress_bar",
)
_PLUMBING = (TARGET, "_partial_", "_convert_", "_recursive_")
_RELATIVE = re.compile(r"\$\{(?P<dots>\.+)(?P<key>\w+)\}")
_KEY = re.compile(r"[\w-]+", re.ASCII)
_LONG = "dataset"  # whose keys keep it in their names: `path` alone says nothing

Nodes = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Param:
    """A value, or the choice of a group.

    path: its key, such as `tower.emb_dim`; of a choice that of the group, such as `tower`.
    is_default: whether it is as its group's file has it, or `conf/train.yaml`.
    """

    path: str
    value: Any
    is_default: bool

    @property
    def name(self) -> str:
        return short_name(self.path)


def params(config: Mapping[str, Any]) -> list[Param]:
    """Of a resolved config, in its order, a group's choice before its values.

    Left out: targets and other keys of Hydra's, where and how the run goes, and values that only
    repeat another key's.
    """
    return list(_of_node((config,), "", Recipe(root_values(), {})))


@cache
def _names() -> dict[str, str]:
    """By last part, the one path that is called by it: of all keys of the config tree that end
    alike the one nearest to the root, if it is alone there."""
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
    """`emb_dim` for `tower.emb_dim`: the last part where it means no other key of the config tree,
    else the whole path. The same for every run, whatever the run has chosen."""
    at = path_of(path)
    end = at.rpartition(".")[2]
    return end if _names().get(end) == at else at


def path_of(key: str) -> str:
    """The path that the key of an override sets: `tower.encoder` for `tower/encoder`."""
    return key.partition("@")[2] or key.replace("/", ".")


def _shallowest(paths: list[str]) -> list[str]:
    depth = min(path.count(".") for path in paths)
    return [path for path in paths if path.count(".") == depth]


def _of_node(nodes: Nodes, at: str, written: Recipe) -> Iterator[Param]:
    """nodes: from the root to the node itself. written: what its file says of it."""
    for key, value in nodes[-1].items():
        path = f"{at}{key}"
        if key in _PLUMBING or path in _LEFT_OUT:
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
    over = around.values.get(key)  # what the file around says of it comes last
    if isinstance(over, Mapping):
        written = Recipe({**written.values, **over}, written.parts)
    yield from _of_node(nodes, f"{path}.", written)


def _group_of(target: str, path: str) -> str | None:
    """By the key of the node, else by its package: `twotower.tower.encoder.gru.GRUEncoder`."""
    packages = target.split(".")
    named = (path.replace(".", "/"), "/".join(packages[1:-2]))
    return next((name for name in named if is_group(name)), None)


def _called(target: str) -> str:
    """`ease` for `twotower.baselines.ease.Ease`, and the class alone for anybody else's."""
    parts = target.split(".")
    return parts[-2] if parts[0] == "twotower" and len(parts) > 2 else parts[-1]


def _repeats(value: Any, written: Any, nodes: Nodes) -> bool:
    """Whether it is what the file takes from another key, as in `${..emb_dim}`."""
    found = _RELATIVE.fullmatch(written) if isinstance(written, str) else None
    if found is None or len(found["dots"]) > len(nodes):
        return False
    source = nodes[-len(found["dots"])]
    return found["key"] in source and bool(source[found["key"]] == value)
