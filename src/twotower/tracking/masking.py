"""Passwords and tokens do not leave in clear."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_USERINFO = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)[^\s/@]*(?:@[^\s/@]*)*@", re.IGNORECASE)
_SECRET_QUERY = re.compile(
    r"(?P<key>[?&](?:password|passwd|pwd|token|api_key|secret|sig|signature)=)[^&\s]+",
    re.IGNORECASE,
)


def mask(text: str) -> str:
    """`text` with the `user:password@` of every URL in it, and secret query values, as `***`."""
    return _SECRET_QUERY.sub(r"\g<key>***", _USERINFO.sub(r"\g<scheme>***@", text))


def mask_all(value: Any) -> Any:
    """Plain nested containers with every string in them masked."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {key: mask_all(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [mask_all(inner) for inner in value]
    return value
