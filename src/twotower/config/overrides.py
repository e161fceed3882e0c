"""What stands on a command line: choices of groups, values of keys, sweeps over either."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException

from twotower.config.suggest import suggest
from twotower.config.tree import choices, has_choice, is_group
from twotower.errors import ConfigError

__all__ = ["combinations", "known_choices", "lenient"]

_OPTIONAL_GROUP = "experiment"  # the one that is null by default


def lenient(overrides: Sequence[str]) -> list[str]:
    """Overrides that Hydra takes whatever key they name, so that `check` sees all mistakes at once.

    Hydra itself stops at the first unknown key, and accepts any with `+`. Raises ConfigError for
    what is no override.
    """
    return [_lenient(override) for override in _parse(overrides)]


def known_choices(overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """Overrides without those of groups that have no such choice, and an error for each of these.

    The values of such a group are left out too: which keys it has is not known.
    """
    errors: dict[str, list[str]] = {}
    parsed = _parse(overrides)
    for override in parsed:
        if messages := list(_unknown_choices(override)):
            errors.setdefault(override.key_or_group, []).extend(messages)
    kept = [
        override.input_line or ""
        for override in parsed
        if override.key_or_group.partition(".")[0] not in errors
    ]
    return kept, [message for messages in errors.values() for message in messages]


def combinations(overrides: Sequence[str]) -> list[list[str]]:
    """Overrides without sweeps that together hold every value of a sweep over `overrides`.

    Not their product: the first value of each, and in turn each other value of one. Ranges of a
    search (such as `interval(0, 1)`) are left out.
    """
    axes = [axis for override in _parse(overrides) if (axis := _axis(override))]
    base = [axis[0] for axis in axes]
    varied = [
        [*base[:place], value, *base[place + 1 :]]
        for place, axis in enumerate(axes)
        for value in axis[1:]
    ]
    return [base, *varied]


def _parse(overrides: Sequence[str]) -> list[Override]:
    try:
        return OverridesParser.create().parse_overrides(list(overrides))
    except HydraException as error:
        raise ConfigError(str(error)) from error


def _axis(override: Override) -> list[str]:
    if not override.is_sweep_override():
        return [override.input_line or ""]
    if not override.is_discrete_sweep():
        return []
    key = (override.input_line or "").partition("=")[0]
    return [f"{key}={value}" for value in override.sweep_string_iterator()]


def _lenient(override: Override) -> str:
    line = override.input_line or ""
    adds = override.type in (OverrideType.CHANGE, OverrideType.ADD)
    key = override.key_or_group
    if not adds or key.startswith("hydra.") or override.package or "/" in key or is_group(key):
        return line
    return "++" + line.lstrip("+")


def _unknown_choices(override: Override) -> Iterator[str]:
    group = override.key_or_group
    if not is_group(group) or override.type == OverrideType.DEL:
        return
    for value in _values(override):
        if has_choice(group, value) or (value == "null" and group == _OPTIONAL_GROUP):
            continue
        yield f"{group}={value}: no such choice; {suggest(value, choices(group))}"


def _values(override: Override) -> list[str]:
    if override.is_sweep_override():
        if not override.is_discrete_sweep():
            return []
        values: list[Any] = [str(value) for value in override.sweep_string_iterator()]
    else:
        value = override.value()
        values = list(value) if isinstance(value, list) else [value]
    return ["null" if value is None else str(value) for value in values]
