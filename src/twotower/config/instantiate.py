"""From checked nodes to objects."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from twotower.config.targets import Targets
from twotower.core.component import parameters

__all__ = ["PARTIAL", "TARGET", "Configured", "instantiate", "instantiate_as"]

TARGET, PARTIAL = "_target_", "_partial_"


class Configured:
    """Base of classes whose objects carry the config that they were built from.

    Attributes:
        config: The node, as plain containers. Only `instantiate` sets it. It may have keys that the
            class does not take, but another one that is built from the same node.
    """

    config: Mapping[str, Any]


def instantiate(value: Any, targets: Targets) -> Any:
    """Return what a checked node describes, with all nodes in it; other values as they are.

    Unlike Hydra's, it takes text as it is, with no interpolation in it, and knows no special keys
    but `_target_` and `_partial_`. Raises what the classes raise.
    """
    if isinstance(value, list):
        return [instantiate(each, targets) for each in value]
    if not isinstance(value, Mapping):
        return value
    if TARGET not in value:
        return {key: instantiate(each, targets) for key, each in value.items()}
    target = targets.locate(value[TARGET])
    if isinstance(target, type) and issubclass(target, Configured):
        made = instantiate_as(target, value, targets)
        object.__setattr__(made, "config", value)  # also where the class is frozen
        return made
    arguments = {key: each for key, each in value.items() if key not in (TARGET, PARTIAL)}
    built = instantiate(arguments, targets)
    return partial(target, **built) if value.get(PARTIAL, False) else target(**built)


def instantiate_as(target: type, node: Mapping[str, Any], targets: Targets) -> Any:
    """Return a `target` made from the keys of a checked node that it takes."""
    taken = parameters(target, own=False).keys() & node.keys()
    return target(**{key: instantiate(node[key], targets) for key in node if key in taken})
