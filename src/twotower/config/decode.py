"""Text from interpolations, such as `${oc.env:EMB_DIM}`, for keys that expect a number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf

__all__ = ["decodable", "replace_at"]

Path = tuple[str | int, ...]


def decodable(config: Any, path: Path = ()) -> Iterator[tuple[Path, tuple[str, Any]]]:
    """Yield by path the text of an interpolation, and its value if parsed as an override.

    Only text that parses to another type is included; the type of the key decides between the two.
    """
    if isinstance(config, DictConfig):
        keys: Any = list(config.keys())
    elif isinstance(config, ListConfig):
        keys = range(len(config))
    else:
        return
    for key in keys:
        if OmegaConf.is_interpolation(config, key):
            text = config[key]
            if isinstance(text, str) and not isinstance(decoded := _decoded(text), str):
                yield (*path, key), (text, decoded)
        elif not OmegaConf.is_missing(config, key):
            yield from decodable(config[key], (*path, key))


def replace_at(container: Any, path: Path, value: Any) -> None:
    """Set one value of nested plain containers."""
    *above, last = path
    for key in above:
        container = container[key]
    container[last] = value


def _decoded(text: str) -> Any:
    try:
        override = OverridesParser.create().parse_override(f"key={text}")
    except HydraException:
        return text
    return text if override.is_sweep_override() else override.value()
