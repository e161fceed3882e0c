"""Overrides of groups and keys: which exist, and how Hydra accepts them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.override_parser.types import Override, OverrideType

from twotower.config.axes import choices_of
from twotower.config.elsewhere import choice_elsewhere, nested_selector
from twotower.config.parse import parse
from twotower.config.source import TRAIN, Source
from twotower.config.suggest import suggest

__all__ = ["known_choices", "lenient"]

_OPTIONAL_GROUP = "experiment"  # the one that is null by default


def lenient(overrides: Sequence[str], source: Source = TRAIN) -> list[str]:
    """Rewrite overrides so that Hydra accepts any key, and `check` reports all errors together.

    Hydra itself stops at the first unknown key, and accepts any key with `+`.

    Raises:
        ConfigError: an entry is not an override.
    """
    return [_lenient(override, source) for override in parse(overrides)]


def known_choices(overrides: Sequence[str], source: Source = TRAIN) -> tuple[list[str], list[str]]:
    """Return the overrides without unknown choices, and an error for each of those.

    The values of a group with an unknown choice are left out too, since its keys are not known.
    """
    errors: dict[str, list[str]] = {}
    parsed = parse(overrides)
    for override in parsed:
        if messages := list(_unknown_choices(override, source)):
            errors.setdefault(_path(override), []).extend(messages)
    below = tuple(f"{path}." for path in errors)
    kept = [o.input_line or "" for o in parsed if not f"{_path(o)}.".startswith(below)]
    return kept, [message for messages in errors.values() for message in messages]


def _lenient(override: Override, source: Source) -> str:
    line = override.input_line or ""
    adds = override.type in (OverrideType.CHANGE, OverrideType.ADD)
    key = override.key_or_group
    if not adds or key.startswith("hydra.") or override.package or "/" in key:
        return line
    if source.is_group(key):
        return line
    return "++" + line.lstrip("+")


def _path(override: Override) -> str:
    """Return the key that an override sets: `tower.encoder` for `tower/encoder=gru`."""
    return override.package or override.key_or_group.replace("/", ".")


def _unknown_choices(override: Override, source: Source) -> Iterator[str]:
    group = override.key_or_group
    if override.type == OverrideType.DEL:
        return
    if not source.is_group(group):
        yield from _unknown_groups(override)
        return
    for value in _values(override, source):
        if source.has_choice(group, value) or (value == "null" and group == _OPTIONAL_GROUP):
            continue
        known = suggest(value, source.choices(group), choice_elsewhere(value, group))
        yield f"{group}={value}: no such choice; {known}"


def _unknown_groups(override: Override) -> Iterator[str]:
    """Yield an error for a nested group without the group around it, such as `encoder=gru`."""
    value = None if override.is_sweep_override() else override.value()
    meant = nested_selector(override.key_or_group, override.package)
    if meant and (value is None or isinstance(value, str)):
        line = (override.input_line or "").lstrip("+")
        text = line.partition("=")[2]
        yield f"{line}: no such group; did you mean '{meant[0]}={text}'?"


def _values(override: Override, source: Source) -> list[str]:
    if override.is_sweep_override():
        if not override.is_discrete_sweep():
            return []
        values: list[Any] = list(choices_of(override, source))
    else:
        value = override.value()
        values = list(value) if isinstance(value, list) else [value]
    return ["null" if value is None else str(value) for value in values]
