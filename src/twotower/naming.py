"""How runs are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["run_name"]


def run_name(overrides: Sequence[str], config: Mapping[str, Any]) -> str:
    """What the overrides change, such as `emb_dim=32 num_negatives=10`.

    Values get the last part of their key. Where nothing was overridden: model and loss.
    """
    named = [override.lstrip("+") for override in overrides if not override.startswith("~")]
    parts = [
        f"{key.rpartition('.')[2]}={value}"
        for key, _, value in (override.partition("=") for override in named)
        if key not in ("output_dir", "run_name") and not key.startswith("tracking")
    ]
    if parts:
        return " ".join(parts)
    return " ".join(_choice(config[group]) for group in ("tower", "loss"))


def _choice(node: Mapping[str, Any]) -> str:
    """`embedding` for the target `twotower.tower.embedding.EmbeddingTower`."""
    return str(node["_target_"]).split(".")[-2]
