"""Guess how an invalid timestamp column is really written, for error messages."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from twotower.dataset.time_units import EARLIEST, UNITS, in_unit, latest_year

__all__ = ["compact_format", "cut_off", "number_remedy", "text_remedy"]

# Dates written as one number, by their digits.
_COMPACT = {
    6: ("%Y%m",),
    8: ("%Y%m%d",),
    10: ("%y%m%d%H%M",),
    12: ("%Y%m%d%H%M", "%y%m%d%H%M%S"),
    14: ("%Y%m%d%H%M%S",),
    17: ("%Y%m%d%H%M%S%3f",),
}
_DATES = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%d %b %Y")
_CLOCKS = ("", " %H:%M", " %H:%M:%S", ", %H:%M", " %I:%M %p", " %I:%M:%S %p")
_SURE = 5  # distinct values: a Unix time is a date in digits once in 200 times


def compact_format(values: pl.Series, *, sure: bool = False) -> str | None:
    """Return the format that reads all `values` as dates in digits (20230520), or None.

    Args:
        values: distinct numbers.
        sure: whether there must be too many different dates for this to be chance.
    """
    head = _digits(values.head(1000))
    if not len(head) or head[0] is None or (sure and len(head.unique()) < _SURE):
        return None
    for candidate in _COMPACT.get(len(head[0]), ()):
        if _reads(head, candidate) and _reads(_digits(values), candidate):
            return candidate
    return None


def _digits(values: pl.Series) -> pl.Series:
    return values.cast(pl.Int64, strict=False).cast(pl.String)


def cut_off(values: pl.Series) -> bool:
    """Return whether the last number has fewer digits than all others, as in a truncated file."""
    text = values.cast(pl.String)
    if text.str.contains(".", literal=True).any():
        text = text.str.replace(r"\..*$", "")
    digits = text.str.len_chars()
    return len(digits) > 1 and bool(digits[-1] < digits[:-1].min())


def number_remedy(
    values: pl.Series, numbers: pl.Series, bad: pl.Series, unit: str, key: Callable[[str], str]
) -> str:
    """Return what to do about rows of `numbers` that are `bad` in `unit`; key: its full name."""
    wrong = numbers.filter(bad)
    if (wrong == 0).all() and len(wrong) < len(numbers):
        return "0 often means that the time is unknown: remove these rows"
    if len(wrong) == 1 and bad[-1] and cut_off(values):
        return "the file seems to have been cut off inside this number: fetch it again"
    if (found := compact_format(values.filter(bad))) is not None:
        return f"set {key('timestamp_format')}={found}"
    fitting = [name for name in UNITS if name != unit and in_unit(wrong, name, guessed=True).all()]
    order = f"{key('timestamp_unit')}=order if they only order the interactions"
    if fitting and len(wrong) < len(numbers):
        return f"the column mixes units, these rows count {UNITS[fitting[0]].name}: convert them"
    if fitting == ["d"]:
        return f"set {key('timestamp_unit')}=d if they are days since 1970, {order}"
    if fitting:
        return f"set {key('timestamp_unit')}={fitting[0]}"
    return (
        f"set {key('timestamp_unit')} (s, ms, us, ns or d) or {key('timestamp_format')} to how "
        f"they are written, or {order}"
    )


def text_remedy(values: pl.Series, text_format: str | None, key: str) -> str:
    """Return what to do about strings that `text_format` (None: ISO 8601) does not read."""
    expected = "ISO 8601" if text_format is None else repr(text_format)
    head = values.drop_nulls().head(1000) if values.dtype == pl.String else values.head(0)
    fitting = [f"{d}{c}" for d in _DATES for c in _CLOCKS if len(head) and _reads(head, d + c)]
    such = f", such as {' or '.join(map(repr, fitting))}" if fitting else ""
    return f"set {key}{such} ({expected} was expected)"


def _reads(text: pl.Series, text_format: str) -> bool:
    read = text.str.to_datetime(text_format, time_unit="us", strict=False)
    return read.null_count() == 0 and bool(read.dt.year().is_between(EARLIEST, latest_year()).all())
