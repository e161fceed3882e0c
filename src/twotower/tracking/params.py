"""A config as MLflow's flat params."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

MAX_VALUE = 6000  # MLflow cuts a param value silently after that many characters
_MAX_KEY = 250
_KEY = re.compile(r"[\w-]+", re.ASCII)


def flat_params(config: Mapping[str, Any], whole: str) -> dict[str, str]:
    """`{"tower": {"emb_dim": 16}}` as `{"tower.emb_dim": "16"}`.

    Lists, empty mappings and mappings with keys that no param name may hold are one param each,
    as JSON. In place of a value that is too long stands its length and the name of the artifact
    that holds the `whole` config.
    """
    return {
        key: value if len(value) <= MAX_VALUE else f"<{len(value):,} characters: see {whole}>"
        for key, value in _flatten(config, "")
    }


def _flatten(config: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and _has_param_names(value, name):
            yield from _flatten(value, f"{name}.")
        else:
            yield name, _as_text(value)


def _has_param_names(mapping: Mapping[str, Any], prefix: str) -> bool:
    return bool(mapping) and all(
        isinstance(key, str) and _KEY.fullmatch(key) and len(prefix) + 1 + len(key) <= _MAX_KEY
        for key in mapping
    )


def _as_text(value: Any) -> str:
    """Strings as they are, everything else as JSON, which is how YAML spells it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
