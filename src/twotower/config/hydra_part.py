"""What Hydra's own part of a config may hold: Hydra acts on it before `check` sees a thing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from twotower.config.instantiate import PARTIAL, TARGET
from twotower.config.kinds import Contract, kind_error
from twotower.config.targets import Targets
from twotower.core.errors import ConfigError
from twotower.core.secrets import remember

__all__ = ["check_hydra"]

_CALLBACK = Annotated[Any, Contract("hydra.experimental.callback.Callback")]


def check_hydra(node: Mapping[str, Any]) -> None:
    """Raise ConfigError if Hydra would call something of the wrong kind, or write secrets.

    node: the part `hydra` of a config, as plain containers; empty where nothing could be composed.
    """
    remember(node)
    if node.get("output_subdir") is not None:
        raise ConfigError(
            f"hydra.output_subdir: got {node['output_subdir']!r}, where Hydra would write secrets "
            "as they are; must be null (each run's folder has a masked config.yaml)"
        )
    for key in ("launcher", "sweeper"):
        part = dict(node.get(key) or {})
        if key == "sweeper" and part.get("_recursive_") is False:
            part.pop("search", None)  # checked when it is built
        for path in _nodes(part, f"hydra.{key}"):
            raise ConfigError(f"{path}: no node is accepted here, which Hydra would call unchecked")
    for name, callback in (node.get("callbacks") or {}).items():
        _check_callback(f"hydra.callbacks.{name}", callback)


def _nodes(value: Any, path: str, *, top: bool = True) -> Iterator[str]:
    """Yield the path of each node below `value`, which is a node itself."""
    if isinstance(value, Mapping):
        if TARGET in value and not top:
            yield f"{path}.{TARGET}"
        for key, inner in value.items():
            yield from _nodes(inner, f"{path}.{key}", top=False)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _nodes(inner, f"{path}.{place}", top=False)


def _check_callback(path: str, callback: Any) -> None:
    if not isinstance(callback, Mapping) or TARGET not in callback:
        return
    for found in _nodes(callback, path):
        raise ConfigError(f"{found}: no node is accepted here, which Hydra would call unchecked")
    name = callback[TARGET]
    try:
        target = Targets().locate(name)
    except Exception as error:  # an import may fail in any way
        reason = str(error.__cause__ or error).partition("\n")[0]
        raise ConfigError(
            f"{path}.{TARGET}: got {name!r}, which cannot be imported: {reason}"
        ) from error
    if wrong := kind_error(_CALLBACK, target, bool(callback.get(PARTIAL, False))):
        raise ConfigError(f"{path}.{TARGET}: got {name!r}, {wrong}")
