"""Forms of the override `baselines` that Hydra refuses because the group takes a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException

from twotower.config.tree import LIST_GROUP, has_choice
from twotower.core.errors import ConfigError

__all__ = ["with_baselines"]


def with_baselines(overrides: Sequence[str]) -> list[str]:
    """Rewrite overrides of `baselines` to forms that Hydra accepts; others stay unchanged.

    `~baselines`, `baselines=null` and `baselines={}` become `baselines=[]`;
    `~baselines=[popularity]` becomes `~baselines.popularity`; and `baselines={ease: {l2: 3}}`
    becomes `baselines=[ease]` with `baselines.ease={l2:3}`.

    Raises:
        ConfigError: an override of `baselines` cannot be parsed.
    """
    return [written for override in overrides for written in _rewritten(override)]


def _rewritten(line: str) -> Iterator[str]:
    if not line.lstrip("+~").startswith(LIST_GROUP):
        yield line
        return
    try:
        override = OverridesParser.create().parse_override(line)
    except HydraException as error:
        raise ConfigError(str(error)) from error
    value = None if override.is_sweep_override() else override.value()
    if override.key_or_group != LIST_GROUP or override.is_sweep_override():
        yield line
    elif override.type == OverrideType.DEL and value:
        names = value if isinstance(value, list) else [value]
        yield from (f"~{LIST_GROUP}.{name}" for name in names)
    elif override.type == OverrideType.DEL or value is None:
        yield f"{LIST_GROUP}=[]"
    elif isinstance(value, Mapping):
        yield from _of_mapping(override, value)
    else:
        yield line


def _of_mapping(override: Override, nodes: Mapping[Any, Any]) -> Iterator[str]:
    """Yield the choices, then the values that change; a node with `_target_` needs no choice."""
    own = {
        name
        for name, node in nodes.items()
        if isinstance(node, Mapping)
        and "_target_" in node
        and not has_choice(LIST_GROUP, str(name))
    }
    yield f"{LIST_GROUP}=[{','.join(str(name) for name in nodes if name not in own)}]"
    for name, node in nodes.items():
        if node:
            text = replace(override, _value=node).get_value_element_as_str()
            yield f"{LIST_GROUP}.{name}={text}"
