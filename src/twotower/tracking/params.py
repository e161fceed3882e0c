"""A config as MLflow's flat params."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from twotower.config.params import params

__all__ = ["MAX_VALUE", "flat_params"]

MAX_VALUE = 6000  # MLflow silently truncates longer values
_MAX_NAME = 250
_TARGET = "_target_"


def flat_params(config: Mapping[str, Any], whole: str) -> dict[str, str]:
    """Return the settings that may vary, by short names: `{"tower": "embedding", "emb_dim": "16"}`.

    See `twotower.config.params` for what is left out. A list is one param, as JSON. A value that is
    too long is replaced by its length and the name of the artifact that has the `whole` config. A
    param whose name is too long is only there.
    """
    texts = {param.name: _as_text(param.value) for param in params(config)}
    return {
        name: text if len(text) <= MAX_VALUE else f"<{len(text):,} characters: see {whole}>"
        for name, text in texts.items()
        if len(name) <= _MAX_NAME
    }


def _as_text(value: Any) -> str:
    """Return strings unchanged and everything else as JSON, which is valid YAML."""
    if isinstance(value, list) and any(_is_component(item) for item in value):
        return ", ".join(map(_component, value)) or "[]"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _is_component(value: Any) -> bool:
    return isinstance(value, Mapping) and _TARGET in value


def _component(value: Any) -> str:
    """Return a text such as `LowRatingFilter(value=4)`."""
    if not _is_component(value):
        return _as_text(value)
    arguments = ", ".join(f"{k}={_as_text(v)}" for k, v in value.items() if not k.startswith("_"))
    return f"{value[_TARGET].rpartition('.')[2]}({arguments})"
