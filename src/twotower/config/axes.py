"""The axes of a sweep: which keys vary, over which values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import Glob, IntervalSweep, Override
from hydra.errors import HydraException

from twotower.config.parse import parse
from twotower.config.render import render_value
from twotower.config.source import TRAIN, Source
from twotower.core.errors import ConfigError

__all__ = ["Axis", "axes", "choices_of", "combinations", "with_params"]


@dataclass(frozen=True)
class Axis:
    """A key that varies in a sweep.

    Attributes:
        key: a key or group, such as `tower.emb_dim` or `tower/encoder`.
        choices: one or more values, each as the text of an override; None for an interval.
        values: the same values, parsed.
        low, high: ends of an interval, low <= high.
        integer: whether only integers are drawn, as from `int(interval(8, 64))`.
        log: whether logarithms are drawn, as from `tag(log, interval(1e-4, 1e-1))`; low is above 0.
    """

    key: str
    choices: tuple[str, ...] | None
    values: tuple[Any, ...] | None
    low: float | None
    high: float | None
    integer: bool
    log: bool

    def override(self, value: Any) -> str:
        """Return the override for `value`: an entry of `choices`, or a number of the interval."""
        return f"{self.key}={value if isinstance(value, str) else render_value(value)}"


def axes(overrides: Sequence[str], source: Source = TRAIN) -> tuple[list[str], list[Axis]]:
    """Return the overrides with one value, and the axes, each in the order of the command line.

    Raises:
        ConfigError: a sweep or an interval holds no value.
    """
    fixed, varying = [], []
    for override in parse(overrides):
        if override.is_sweep_override():
            varying.append(_as_axis(override, source))
        else:
            fixed.append(override.input_line or "")
    return fixed, varying


def combinations(overrides: Sequence[str], source: Source = TRAIN) -> list[list[str]]:
    """Return lists of overrides without sweeps that together hold every swept value.

    This is not the product: the first list holds the first value of each axis, and each other list
    changes one value. An interval contributes its two ends.
    """
    values = [_values_in_turn(override, source) for override in parse(overrides)]
    base = [first for first, *_ in values]
    varied = [
        [*base[:place], value, *base[place + 1 :]]
        for place, (_, *others) in enumerate(values)
        for value in others
    ]
    return [base, *varied]


def with_params(overrides: Sequence[str], params: Any) -> list[str]:
    """Prepend the sweep of `hydra.sweeper.params`, except for keys that `overrides` name.

    Args:
        overrides: as on the command line.
        params: by key the text after `=`, such as `16,32`, or a single value; keys may be nested.

    Raises:
        ConfigError: `params` is not a mapping.
    """
    if not isinstance(params, Mapping):
        raise ConfigError(
            f"hydra.sweeper.params: got {params!r}; must be a mapping, such as "
            "{tower.emb_dim: '16,32'}"
        )
    named = {override.key_or_group for override in parse(overrides)}
    written = parse([f"{key}={text}" for key, text in _texts(params, "")])
    kept = [o.input_line or "" for o in written if o.key_or_group not in named]
    return [*kept, *overrides]


def _texts(params: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in params.items():
        if isinstance(value, Mapping) and value:
            yield from _texts(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else render_value(value)


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
        texts = choices_of(override, source)
        if not texts:
            raise ConfigError(f"{override.input_line}: holds no value; expected one or more")
        # Parsed one by one, which resolves quotes and escapes.
        values = tuple(one.value() for one in parse([f"{key}={text}" for text in texts]))
        return Axis(key, texts, values, None, None, integer=False, log=False)
    assert isinstance(value, IntervalSweep)
    low, high, log = value.start, value.end, "log" in value.tags
    assert low is not None
    assert high is not None
    if low > high or (log and low <= 0):
        above = "0 < " if log else ""
        raise ConfigError(
            f"{override.input_line}: expected interval(low, high) with {above}low <= high"
        )
    integer = isinstance(low, int) and isinstance(high, int)
    return Axis(key, None, None, low, high, integer=integer, log=log)


def choices_of(override: Override, source: Source) -> tuple[str, ...]:
    """Return the values of a discrete sweep, each as the text of an override."""
    pattern: Any = override.value()
    if isinstance(pattern, Glob):
        group = override.key_or_group
        return tuple(pattern.filter(source.choices(group)))
    try:
        return tuple(override.sweep_string_iterator())
    except (ValueError, HydraException) as error:  # a range of step 0
        raise ConfigError(f"{override.input_line}: {error}") from error
