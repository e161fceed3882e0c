"""How runs are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["run_name", "setting_name"]

_WORDS = {"None": "null", "True": "true", "False": "false"}
_ELSEWHERE = ("output_dir", "run_name", "dataset.", "tracking", "trainer.progress_bar", "hydra")


def run_name(overrides: Sequence[str], config: Mapping[str, Any]) -> str:
    """What the overrides change of the model, such as `emb_dim=32 num_negatives=10`.

    Values get the last part of their key. Where nothing is changed: tower and loss. Where the data
    lie and where the run is written says nothing of the model.
    """
    named = [override.lstrip("+") for override in overrides if not override.startswith("~")]
    parts = [
        f"{key.rpartition('.')[2]}={value}"
        for key, _, value in (override.partition("=") for override in named)
        if not key.startswith(_ELSEWHERE)
    ]
    if parts:
        return " ".join(parts)
    return " ".join(_choice(config[group]) for group in ("tower", "loss"))


def setting_name(varied: Mapping[str, Any]) -> str:
    """Such as `emb_dim=32 num_negatives=10`, in the words of a command line.

    Values get the last part of their key, or the whole where two keys end alike.
    """
    ends = [key.rpartition(".")[2] for key in varied]
    return " ".join(
        f"{key if ends.count(end) > 1 else end}={_WORDS.get(repr(value), value)}"
        for (key, value), end in zip(varied.items(), ends, strict=True)
    )


def _choice(node: Mapping[str, Any]) -> str:
    """`embedding` for the target `twotower.tower.embedding.EmbeddingTower`."""
    return str(node["_target_"]).split(".")[-2]
