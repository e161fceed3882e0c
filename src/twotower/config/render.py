"""Values to overrides, and overrides to commands; Hydra parses them back to the same values."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException

from twotower.core.errors import ConfigError

__all__ = ["command", "literal", "render", "render_value"]

# Text that Hydra's grammar reads as itself without quotes, unless it is a number or a constant.
_PLAIN = re.compile(r"[\w/.](?:[\w/.:@*%+ -]*[\w/.*%+-])?", re.ASCII)
_SPECIAL = re.compile(r"[\\()\[\]{}:=, \t]")  # escaped in text without quotes


def render(key: str, value: Any) -> str:
    """Return `key=value` such that Hydra's parser reads exactly this key and value.

    Args:
        key: a dotted key, a group, or `group@package`, with any of the prefixes `+`, `++`.
        value: a str, int, float, bool, None, or lists and mappings of these. Text that holds
            `${...}` is read as an interpolation; see `literal`.

    Raises:
        ConfigError: the grammar cannot express the value, as for a mapping key with quotes.
    """
    line = f"{key}={render_value(value)}"
    try:
        parsed = OverridesParser.create().parse_override(line)
        name = parsed.key_or_group + (f"@{parsed.package}" if parsed.package is not None else "")
        same = name == key.lstrip("+") and _same(parsed.value(), value)
    except (HydraException, ValueError, AttributeError):
        same = False
    if not same:
        raise ConfigError(f"{key}: got {value!r}, which no override can express")
    return line


def render_value(value: Any) -> str:
    """Return the part of an override after `=`: `null`, `0.001`, `[64,32]`, `'runs/lr=0.1'`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_key(k)}:{render_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(map(render_value, value)) + "]"
    return repr(value)


def literal(value: Any) -> Any:
    """Escape `${` in a resolved value, so that OmegaConf reads it literally."""
    if isinstance(value, str):
        # Backslashes before `${` are escapes, and are doubled.
        return re.sub(r"(\\*)\$\{", lambda found: found[1] * 2 + r"\${", value)
    if isinstance(value, Mapping):
        return {key: literal(inner) for key, inner in value.items()}
    if isinstance(value, Sequence):
        return [literal(inner) for inner in value]
    return value


def command(*arguments: str) -> str:
    """Return the line `twotower <arguments>`, quoted for a POSIX shell."""
    return shlex.join(["twotower", *arguments])


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and _read(text) == text:
        return text
    return QuotedString(text, Quote.single).with_quotes()


def _key(key: Any) -> str:
    """Keys of mappings have no quotes in Hydra's grammar."""
    return _SPECIAL.sub(r"\\\g<0>", key) if isinstance(key, str) else render_value(key)


def _read(text: str) -> Any:
    try:
        return OverridesParser.create().parse_rule(text, "primitive")
    except HydraException:
        return None


def _same(parsed: Any, value: Any) -> bool:
    """Equal with types: 1 is neither 1.0 nor true, and nan is itself."""
    return repr(_plain(parsed)) == repr(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, QuotedString):
        return value.text
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(inner) for inner in value]
    return value
