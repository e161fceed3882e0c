"""From checked nodes to objects."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from twotower.config.targets import Targets

__all__ = ["PARTIAL", "TARGET", "instantiate"]

TARGET, PARTIAL = "_target_", "_partial_"


def instantiate(value: Any, targets: Targets) -> Any:
    """What a checked node describes, with all nodes in it; other values as they are.

    Unlike Hydra's, it takes text as it is, with no interpolation in it, and knows no special keys
    but `_target_` and `_partial_`. Raises what the classes raise.
    """
    if isinstance(value, list):
        return [instantiate(each, targets) for each in value]
    if not isinstance(value, Mapping):
        return value
    built = {key: instantiate(each, targets) for key, each in value.items()}
    if TARGET not in built:
        return built
    target, is_partial = targets.locate(built.pop(TARGET)), built.pop(PARTIAL, False)
    return partial(target, **built) if is_partial else target(**built)
