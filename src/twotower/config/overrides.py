"""What stands on a command line: choices of groups, values of keys, sweeps over either."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    Glob,
    IntervalSweep,
    Override,
    OverrideType,
    Quote,
    QuotedString,
)
from hydra.errors import HydraException

from twotower.config.elsewhere import choice_elsewhere, nested_selector
from twotower.config.render import render_value
from twotower.config.source import TRAIN, Source
from twotower.config.suggest import suggest
from twotower.config.typed_ids import as_typed
from twotower.core.errors import ConfigError

__all__ = [
    "Axis",
    "axes",
    "combinations",
    "known_choices",
    "lenient",
    "with_ids",
    "with_params",
    "with_seeds",
]

_NAMED = ("run=", "runs=", "sweep=")
_NUMBER = re.compile(r"(?<=[=\[,])(\d+(?:e\d+)?)(?=[,\]]|$)")  # a whole value, or one of a list
_OPTIONAL_GROUP = "experiment"  # the one that is null by default


def lenient(overrides: Sequence[str], source: Source = TRAIN) -> list[str]:
    """Overrides that Hydra takes whatever key they name, so that `check` sees all mistakes at once.

    Hydra itself stops at the first unknown key, and accepts any with `+`. Raises ConfigError for
    what is no override.
    """
    return [_lenient(override, source) for override in _parse(overrides)]


def known_choices(overrides: Sequence[str], source: Source = TRAIN) -> tuple[list[str], list[str]]:
    """Overrides without those of groups that have no such choice, and an error for each of these.

    The values of such a group are left out too: which keys it has is not known.
    """
    errors: dict[str, list[str]] = {}
    parsed = _parse(overrides)
    for override in parsed:
        if messages := list(_unknown_choices(override, source)):
            errors.setdefault(_path(override), []).extend(messages)
    below = tuple(f"{path}." for path in errors)
    kept = [o.input_line or "" for o in parsed if not f"{_path(o)}.".startswith(below)]
    return kept, [message for messages in errors.values() for message in messages]


@dataclass(frozen=True)
class Axis:
    """A key that varies in a sweep.

    key: such as `tower.emb_dim`, or a group.
    choices: the values as they would stand in an override, at least one; None for an interval.
    values: the same, parsed.
    low, high: ends of an interval, low <= high. integer: only whole numbers of it
        (`int(interval(8, 64))`).
    log: drawn by its logarithm (`tag(log, interval(1e-4, 1e-1))`); low is above 0.
    """

    key: str
    choices: tuple[str, ...] | None
    values: tuple[Any, ...] | None
    low: float | None
    high: float | None
    integer: bool
    log: bool

    def override(self, value: Any) -> str:
        """The override for `value`: an entry of `choices`, or a number of the interval."""
        return f"{self.key}={value if isinstance(value, str) else render_value(value)}"


def axes(overrides: Sequence[str], source: Source = TRAIN) -> tuple[list[str], list[Axis]]:
    """The overrides with one value, and what varies, each in the order of the command line.

    Raises ConfigError for a sweep over no value, and for an interval that has none.
    """
    fixed, varying = [], []
    for override in _parse(overrides):
        if override.is_sweep_override():
            varying.append(_as_axis(override, source))
        else:
            fixed.append(override.input_line or "")
    return fixed, varying


def with_seeds(overrides: Sequence[str]) -> list[str]:
    """Overrides with `seeds=3` (and `seed=5`) put as a sweep over the seed: `seed=5,6,7`.

    Raises ConfigError where the seed is swept too, or where `seeds` is no whole number from 1.
    """
    parsed = _parse(overrides)
    found = {o.key_or_group: o for o in parsed if o.key_or_group in ("seed", "seeds")}
    seeds, seed = found.get("seeds"), found.get("seed")
    if seeds is None or seeds.value() == 1:
        return list(overrides)
    count = seeds.value()
    if seeds.is_sweep_override() or not isinstance(count, int) or count < 1:
        raise ConfigError(f"{seeds.input_line}: valid is one whole number, 1 or more")
    if seed is not None and not isinstance(seed.value(), int):
        raise ConfigError(f"{seed.input_line} with seeds={count}: valid is one or the other")
    first = seed.value() if seed is not None else 0
    assert isinstance(first, int)
    rest = [o.input_line or "" for o in parsed if o.key_or_group not in found]
    return [*rest, "seed=" + ",".join(str(n) for n in range(first, first + count))]


def with_params(overrides: Sequence[str], params: Any) -> list[str]:
    """Overrides with those of `hydra.sweeper.params` before them, of keys that they do not name.

    params: by key the text after `=`, such as `16,32`, or a single value; keys may be nested.
    Raises ConfigError for anything else.
    """
    if not isinstance(params, Mapping):
        raise ConfigError(
            f"hydra.sweeper.params: got {params!r}; must be a mapping, such as "
            "{tower.emb_dim: '16,32'}"
        )
    named = {override.key_or_group for override in _parse(overrides)}
    written = _parse([f"{key}={text}" for key, text in _texts(params, "")])
    kept = [o.input_line or "" for o in written if o.key_or_group not in named]
    return [*kept, *overrides]


def _texts(params: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in params.items():
        if isinstance(value, Mapping) and value:
            yield from _texts(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else render_value(value)


def with_ids(overrides: Sequence[str]) -> list[str]:
    """Overrides with the names of runs and sweeps quoted where they would be numbers: the start of
    an id, such as `5677e10`, is text. The same for the ids of users, see `as_typed`."""
    quoted = [_NUMBER.sub(r"'\1'", o) if o.startswith(_NAMED) else o for o in overrides]
    return [as_typed(override) for override in quoted]


def combinations(overrides: Sequence[str], source: Source = TRAIN) -> list[list[str]]:
    """Overrides without sweeps that together hold every value of a sweep over `overrides`.

    Not their product: the first value of each, and in turn each other value of one. Of an interval
    they are its ends.
    """
    values = [_values_in_turn(override, source) for override in _parse(overrides)]
    base = [first for first, *_ in values]
    varied = [
        [*base[:place], value, *base[place + 1 :]]
        for place, (_, *others) in enumerate(values)
        for value in others
    ]
    return [base, *varied]


def _parse(overrides: Sequence[str]) -> list[Override]:
    try:
        return OverridesParser.create().parse_overrides(list(overrides))
    except HydraException as error:
        wrong = next(o for o in overrides if not _can_be_parsed(o))
        raise ConfigError(_no_override(wrong, error)) from error


def _can_be_parsed(override: str) -> bool:
    try:
        OverridesParser.create().parse_override(override)
    except HydraException:
        return False
    return True


def _no_override(text: str, error: Exception) -> str:
    """What is wrong in one line; the grammar's own reason where there is a key and a value."""
    key, equal, value = text.partition("=")
    if not equal:
        return f"{text}: not an override; expected key=value, such as tower.emb_dim=32"
    reason = " ".join(str(error.__cause__ or error).splitlines()[0].split())
    quoted = f"{key}={QuotedString(value, Quote.single).with_quotes()}"
    return (
        f"{text}: not an override ({reason}); a value with special characters needs quotes, in a "
        f"shell as {shlex.quote(quoted)}"
    )


def _values_in_turn(override: Override, source: Source) -> list[str]:
    if not override.is_sweep_override():
        return [override.input_line or ""]
    axis = _as_axis(override, source)
    prefix = (override.input_line or "").partition("=")[0]
    return [f"{prefix}={value}" for value in axis.choices or _ends(axis)]


def _ends(axis: Axis) -> list[float | int]:
    assert axis.low is not None
    assert axis.high is not None
    return [int(end) if axis.integer else end for end in (axis.low, axis.high)]


def _as_axis(override: Override, source: Source) -> Axis:
    key, value = override.get_key_element().lstrip("+"), override.value()
    if override.is_discrete_sweep():
        texts = _choices(override, source)
        if not texts:
            raise ConfigError(f"{override.input_line}: holds no value; valid is one or more")
        # As each is understood where it stands alone, without quotes and escapes.
        values = tuple(one.value() for one in _parse([f"{key}={text}" for text in texts]))
        return Axis(key, texts, values, None, None, integer=False, log=False)
    assert isinstance(value, IntervalSweep)
    low, high, log = value.start, value.end, "log" in value.tags
    assert low is not None
    assert high is not None
    if low > high or (log and low <= 0):
        above = "0 < " if log else ""
        raise ConfigError(
            f"{override.input_line}: valid is interval(low, high), {above}low <= high"
        )
    integer = isinstance(low, int) and isinstance(high, int)
    return Axis(key, None, None, low, high, integer=integer, log=log)


def _choices(override: Override, source: Source) -> tuple[str, ...]:
    """Of a discrete sweep, each as it would stand alone in an override."""
    pattern: Any = override.value()
    if isinstance(pattern, Glob):
        group = override.key_or_group
        return tuple(pattern.filter(source.choices(group)))
    try:
        return tuple(override.sweep_string_iterator())
    except (ValueError, HydraException) as error:  # a range of step 0
        raise ConfigError(f"{override.input_line}: {error}") from error


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
    """The key that an override sets: `tower.encoder` for `tower/encoder=gru`."""
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
    """An error for a nested group that is not named in full, such as `encoder=gru`."""
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
        values: list[Any] = list(_choices(override, source))
    else:
        value = override.value()
        values = list(value) if isinstance(value, list) else [value]
    return ["null" if value is None else str(value) for value in values]
