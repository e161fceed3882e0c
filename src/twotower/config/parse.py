"""Parsing of overrides, with messages of one line."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from twotower.core.errors import ConfigError

__all__ = ["parse"]


def parse(overrides: Sequence[str]) -> list[Override]:
    """Return the parsed overrides, in order.

    Raises:
        ConfigError: one of them is not an override.
    """
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
    """Return what is wrong in one line; the grammar's own reason if there is a key and a value."""
    key, equal, value = text.partition("=")
    if not equal:
        return f"{text}: not an override; expected key=value, such as tower.emb_dim=32"
    reason = " ".join(str(error.__cause__ or error).splitlines()[0].split())
    quoted = f"{key}={QuotedString(value, Quote.single).with_quotes()}"
    return (
        f"{text}: not an override ({reason}); a value with special characters needs quotes, in a "
        f"shell as {shlex.quote(quoted)}"
    )
