"""Suggestions for mistyped names."""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["suggest"]


def suggest(name: str, valid: Iterable[str], elsewhere: str = "") -> str:
    """Return such as `did you mean 'seed'? Valid: output_dir, seed`.

    elsewhere: the suggestion if none of `valid` is close.
    """
    names = sorted(valid)
    close = get_close_matches(name, names, n=1)
    meant = f"did you mean {close[0]!r}? " if close else elsewhere
    return f"{meant}Valid: {', '.join(names) if names else 'none'}"
