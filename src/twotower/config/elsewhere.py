"""Where in the config tree a key or a choice is that somebody looked for in another place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any

from twotower.config.recipes import (
    default_choices,
    leaves,
    mounts,
    nested_groups,
    recipe,
    root_values,
    selector,
)
from twotower.config.tree import choices

__all__ = ["choice_elsewhere", "is_key_elsewhere", "key_elsewhere", "nested_selector", "unmounted"]

_PLUMBING = ("_target_", "_partial_", "_recursive_", "_convert_")
_NO_MATCH = re.compile(r"Could not override '(?P<key>(?P<group>[\w/]+)(?:@[\w.]+)?)'")
_CLOSE = 0.75
_MOST = 3
_SEVERAL = "baselines"  # the group of which a config takes several


def is_key_elsewhere(name: str) -> bool:
    """Whether a key of the config tree ends with `name`."""
    return any(key.rpartition(".")[2] == name for key in _keys())


def key_elsewhere(name: str, value: Any) -> str:
    """`did you mean 'tower.emb_dim'? ` for `emb_dim`; empty where no key is called alike.

    name: the last part of a key that does not exist; value: what it was to be, which may be a
    choice of some group.
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
    """Those that the default choices have, else those with the fewest parts."""
    texts = {key: _with(_keys()[key], key) for key in keys}
    rank = {key: (bool(texts[key]), key.count(".")) for key in keys}
    return [f"{key!r}{texts[key]}" for key in keys if rank[key] == min(rank.values())]


def choice_elsewhere(value: str, group: str) -> str:
    """`did you mean 'split=time'? ` for `dataset=time`; empty where no other group has it."""
    name = value.rpartition("/")[2]
    found = [repr(override) for override in _selecting(name) if override != f"{group}={value}"]
    return f"did you mean {' or '.join(found[:_MOST])}? " if found else ""


def nested_selector(key: str, package: str | None) -> list[str]:
    """What selects a choice of a nested group: `tower/encoder` for `encoder` or `tower.encoder`.

    package: that the override names after `@`. Empty where no nested group is called `key`.
    """
    found = {
        group: group.replace("/", ".")
        for group in nested_groups()
        if key in (group.rpartition("/")[2], group.replace("/", "."))
    }
    return sorted(selector(group, package or at) for group, at in found.items())


def unmounted(message: str) -> str | None:
    """Hydra's message about a nested group that no selected choice has, in words of this project.

    Such as `tower/encoder=gru` without `tower=history`. None for any other message.
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
    """By key the overrides that select the choices which have it."""
    found: dict[str, list[str]] = {path: [] for path, _ in leaves(root_values())}
    for at, group in mounts().items():
        selected = selector(group, at)
        for choice in choices(group):
            for path, _ in leaves(recipe(group, choice).values):
                if path.rpartition(".")[2] not in _PLUMBING:
                    found.setdefault(f"{at}.{path}", []).append(f"{selected}={choice}")
    return {key: tuple(overrides) for key, overrides in sorted(found.items())}


def _with(overrides: tuple[str, ...], key: str) -> str:
    """What has to be chosen for the key to exist, unless the default has it."""
    group = key.partition(".")[0]
    if not overrides or f"{group}={default_choices().get(group)}" in overrides:
        return ""
    return f" (with {' or '.join(overrides[:_MOST])})"


def _selecting(choice: str) -> Iterator[str]:
    """The overrides that select a choice of that name, one for each group that has it."""
    if choice in choices(_SEVERAL):
        yield f"{_SEVERAL}=[{choice}]"
    seen = set()
    for at, group in sorted(mounts().items(), key=lambda item: item[0].count(".")):
        if choice in choices(group) and group not in seen:
            seen.add(group)
            yield f"{selector(group, at)}={choice}"
