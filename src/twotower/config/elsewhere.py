"""Suggestions for a key or choice that exists in another place of the config tree."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any

from twotower.config.recipes import (
    PLUMBING,
    default_choices,
    leaves,
    mounts,
    nested_groups,
    recipe,
    root_values,
    selector,
)
from twotower.config.tree import LIST_GROUP, choices

__all__ = ["choice_elsewhere", "is_key_elsewhere", "key_elsewhere", "nested_selector", "unmounted"]

_NO_MATCH = re.compile(r"Could not override '(?P<key>(?P<group>[\w/]+)(?:@[\w.]+)?)'")
_CLOSE = 0.75
_MOST = 3


def is_key_elsewhere(name: str) -> bool:
    """Whether a key of the config tree ends with `name`."""
    return any(key.rpartition(".")[2] == name for key in _keys())


def key_elsewhere(name: str, value: Any) -> str:
    """Return `did you mean 'tower.emb_dim'? ` for `emb_dim`; empty if no key has a similar name.

    Args:
        name: the last part of a key that does not exist.
        value: its value, which may be a choice of some group.
    """
    meant = _nearest_root([key for key in _keys() if key.rpartition(".")[2] == name])
    if not meant and isinstance(value, str):
        meant = [repr(override) for override in _selecting(value)]
    if not meant:
        ends = {key.rpartition(".")[2] for key in _keys()}
        close = get_close_matches(name, ends, n=1, cutoff=_CLOSE)
        meant = _nearest_root([key for key in _keys() if key.rpartition(".")[2] in close])
    return f"did you mean {' or '.join(meant[:_MOST])}? " if meant else ""


def _nearest_root(keys: Sequence[str]) -> list[str]:
    """Return the keys that the default choices have, else those with the fewest parts."""
    texts = {key: _with(_keys()[key], key) for key in keys}
    rank = {key: (bool(texts[key]), key.count(".")) for key in keys}
    return [f"{key!r}{texts[key]}" for key in keys if rank[key] == min(rank.values())]


def choice_elsewhere(value: str, group: str) -> str:
    """Return `did you mean 'split=time'? ` for `dataset=time`; empty if no group has it."""
    name = value.rpartition("/")[2]
    found = [repr(override) for override in _selecting(name) if override != f"{group}={value}"]
    return f"did you mean {' or '.join(found[:_MOST])}? " if found else ""


def nested_selector(key: str, package: str | None) -> list[str]:
    """Return how a nested group is selected: `tower/encoder` for `encoder` or `tower.encoder`.

    Empty if no nested group has that name. package: the part of the override after `@`, if any.
    """
    found = {
        group: group.replace("/", ".")
        for group in nested_groups()
        if key in (group.rpartition("/")[2], group.replace("/", "."))
    }
    return sorted(selector(group, package or at) for group, at in found.items())


def unmounted(message: str) -> str | None:
    """Explain Hydra's message about a nested group that the selected choice does not have.

    Such as `tower/encoder=gru` without `tower=history`. Return None for any other message.
    """
    found = _NO_MATCH.match(message)
    if found is None or found["group"] not in nested_groups():
        return None
    parent, _, part = found["group"].rpartition("/")
    having = [
        f"{parent}={choice}"
        for choice in choices(parent)
        if any(group == found["group"] for group, _ in recipe(parent, choice).parts.values())
    ]
    return f"{found['key']}: the selected {parent} has no {part}; it needs {' or '.join(having)}"


@cache
def _keys() -> dict[str, tuple[str, ...]]:
    """Return by key the overrides that select the choices with that key."""
    found: dict[str, list[str]] = {path: [] for path, _ in leaves(root_values())}
    for at, group in mounts().items():
        selected = selector(group, at)
        for choice in choices(group):
            for path, _ in leaves(recipe(group, choice).values):
                if path.rpartition(".")[2] not in PLUMBING:
                    found.setdefault(f"{at}.{path}", []).append(f"{selected}={choice}")
    return {key: tuple(overrides) for key, overrides in sorted(found.items())}


def _with(overrides: tuple[str, ...], key: str) -> str:
    """Return what must be selected for the key to exist; empty if the default has it."""
    group = key.partition(".")[0]
    if not overrides or f"{group}={default_choices().get(group)}" in overrides:
        return ""
    return f" (with {' or '.join(overrides[:_MOST])})"


def _selecting(choice: str) -> Iterator[str]:
    """Yield the overrides that select a choice of that name, one per group that has it."""
    if choice in choices(LIST_GROUP):
        yield f"{LIST_GROUP}=[{choice}]"
    seen = set()
    for at, group in sorted(mounts().items(), key=lambda item: item[0].count(".")):
        if choice in choices(group) and group not in seen:
            seen.add(group)
            yield f"{selector(group, at)}={choice}"
