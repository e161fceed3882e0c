"""Whether a run may continue from the kept checkpoint of another one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from twotower.config.identity import is_elsewhere
from twotower.core.errors import ConfigError, ErrorEntry
from twotower.training.checkpoints import record_of

__all__ = ["require_same_data", "require_same_settings", "run_record"]

_KEY = "trainer.ckpt_path"
# What a fit depends on, besides its data. Other nodes may hold secrets.
_NODES = (
    *("seed", "preprocessing", "split", "negative_sampling", "tower", "loss", "optimizer"),
    *("trainer", "evaluation"),
)
# What only decides when a fit ends, and what follows it.
_FREE = ("trainer.max_epochs", "trainer.patience", "trainer.patience_steps", "trainer.refit", _KEY)


def run_record(config: Mapping[str, Any], data: str) -> dict[str, Any]:
    """Return what a kept checkpoint records of its run.

    Args:
        config: The resolved config of the run.
        data: Digest of all data that it depends on, `SplitFrames.identity`.
    """
    return {"data": data, "settings": dict(_settings(config))}


def require_same_settings(path: str, config: Mapping[str, Any]) -> None:
    """Raise ConfigError if a run with this config cannot continue from the checkpoint at `path`.

    The settings that the fit depends on must be those of the checkpoint's run, and `max_epochs`
    must be more than it has trained.
    """
    record = record_of(Path(path))
    there, here = record["settings"], dict(_settings(config))
    errors = [
        ErrorEntry(key, problem=_difference(there, here, key), valid="must be the same to continue")
        for key in here | there
        if here.get(key) != there.get(key)
    ]
    if config["trainer"]["max_epochs"] <= record["epochs"]:
        errors.append(
            ErrorEntry(
                "trainer.max_epochs",
                config["trainer"]["max_epochs"],
                f"but {_KEY} has trained {record['epochs']} epochs already",
                f"must be an integer >= {record['epochs'] + 1}",
            )
        )
    if errors:
        raise ConfigError(errors)


def require_same_data(path: str, data: str) -> None:
    """Raise ConfigError if the checkpoint at `path` was trained on other data."""
    if record_of(Path(path))["data"] != data:
        wrong = "which was trained on other data, or on another split of it"
        raise ConfigError(ErrorEntry(_KEY, path, wrong, "must be of a run on the same data"))


def _settings(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in _NODES:
        yield from _leaves(config[name], name)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if path in _FREE or is_elsewhere(path):
        return
    if isinstance(value, Mapping) and value:
        for key, each in value.items():
            yield from _leaves(each, f"{path}.{key}")
    else:
        yield path, value


def _difference(there: Mapping[str, Any], here: Mapping[str, Any], key: str) -> str:
    if key not in here:
        return f"not set, but the run of {_KEY} has {there[key]!r}"
    other = repr(there[key]) if key in there else "no such key"
    return f"got {here[key]!r}, but the run of {_KEY} has {other}"
