"""From checked nodes to objects."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from twotower.config.targets import Targets

__all__ = ["PARTIAL", "TARGET", "Configured", "instantiate"]

TARGET, PARTIAL = "_target_", "_partial_"


class Configured:
    """Base of classes whose objects carry the config that they were built from.

    Attributes:
        config: The node, as plain containers. Only `instantiate` sets it.
    """

    config: Mapping[str, Any]


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
    if is_partial:
        return partial(target, **built)
    made = target(**built)
    if isinstance(made, Configured):
        object.__setattr__(made, "config", value)  # also where the class is frozen
    return made
