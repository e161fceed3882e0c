"""Suggestions for a key or choice that exists in another place of the config tree."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from twotower.config.recipes import default_choices, fillings, keys, nested_groups, selector
from twotower.config.tree import LIST_GROUP, choices

__all__ = ["choice_elsewhere", "is_key_elsewhere", "key_elsewhere", "nested_selector", "unmounted"]

_NO_MATCH = re.compile(r"Could not override '(?P<key>(?P<group>[\w/]+)(?:@[\w.]+)?)'")
_CLOSE = 0.75
_MOST = 3


def is_key_elsewhere(name: str) -> bool:
    """Return whether a key of the config tree ends with `name`."""
    return any(key.rpartition(".")[2] == name for key in keys())


def key_elsewhere(path: str, value: Any) -> str:
    """Return `did you mean 'tower.emb_dim'? ` for `emb_dim`; empty if no key has a similar name.

    Args:
        path: a key that does not exist, or exists with other choices than the selected ones.
        value: its value, which may be a choice of some group.
    """
    if needed := keys().get(path):
        return f"it needs {' or '.join(needed)}. "
    name = path.rpartition(".")[2]
    meant = _nearest_root([key for key in keys() if key.rpartition(".")[2] == name])
    if not meant and isinstance(value, str):
        meant = [repr(override) for override in _selecting(value)]
    if not meant:
        ends = {key.rpartition(".")[2] for key in keys()}
        close = get_close_matches(name, ends, n=1, cutoff=_CLOSE)
        meant = _nearest_root([key for key in keys() if key.rpartition(".")[2] in close])
    return f"did you mean {' or '.join(meant[:_MOST])}? " if meant else ""


def _nearest_root(found: Sequence[str]) -> list[str]:
    """Return the keys that the default choices have, else those with the fewest parts."""
    texts = {key: _with(keys()[key], key) for key in found}
    rank = {key: (bool(texts[key]), key.count(".")) for key in found}
    return [f"{key!r}{texts[key]}" for key in found if rank[key] == min(rank.values())]


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
        each.override
        for each in fillings()
        if each.at == parent
        and any(group == found["group"] for group, _ in each.recipe.parts.values())
    ]
    return f"{found['key']}: the selected {parent} has no {part}; it needs {' or '.join(having)}"


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
    for each in fillings():
        if each.choice == choice and each.group not in seen:
            seen.add(each.group)
            yield each.override
