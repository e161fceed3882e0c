"""Names of runs and settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from twotower.config.params import Param, params
from twotower.config.render import render_value
from twotower.config.short_names import path_of, short_name

__all__ = ["labels", "run_name", "setting_name"]

_WORDS = {"None": "null", "True": "true", "False": "false"}
_LONGEST = 80  # characters of a run's name
_LONGEST_VALUE = 24
_DATA = ("dataset", "preprocessing", "split", "evaluation")  # named last
_UNNAMED = re.compile(r"path$|token|secret|password|passwd|api_?key|credential", re.IGNORECASE)
_PATH = re.compile(r"[/\\]|://")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def run_name(overrides: Sequence[str], config: Mapping[str, Any]) -> str:
    """Return what differs from the default recipe, such as `emb_dim=32 num_negatives=10`.

    Values count wherever they come from: the command line, an experiment file or a user's own
    config. The experiment's name comes first, then values in the order of the command line, then
    all others. A run of the defaults is `movielens_100k default`. Names have at most 80 characters,
    and contain neither paths nor tracking settings.
    """
    found = params(config)
    different = [param for param in found if not param.is_default and _is_namable(param)]
    ends = [param.path.rpartition(".")[2] for param in different]
    typed = [short_name(o.lstrip("+~").partition("=")[0]) for o in overrides]
    parts = [
        (_order(param, typed), f"{param.name if ends.count(end) > 1 else end}={_text(param.value)}")
        for param, end in zip(different, ends, strict=True)
    ]
    parts.sort(key=lambda part: part[0])
    recipe = _experiment(overrides)
    if recipe and len(" ".join([*recipe, *(text for _, text in parts)])) > _LONGEST:
        parts = [part for part in parts if part[0] < (len(typed), 0)]
    if not parts:
        dataset = next((str(param.value) for param in found if param.path == "dataset"), "")
        return " ".join(recipe) or f"{dataset} default".strip()
    return _fitting([*recipe, *(text for _, text in parts)])


def setting_name(varied: Mapping[str, Any]) -> str:
    """Return values by the labels of their keys, such as `emb_dim=32 num_negatives=10`."""
    names = labels(list(varied))
    return " ".join(f"{names[key]}={render_value(value)}" for key, value in varied.items())


def labels(keys: Sequence[str]) -> dict[str, str]:
    """Return by key the shortest end that no other key has, such as `emb_dim`."""
    paths = {key: path_of(key) for key in keys}
    return {key: _shortest_end(path, list(paths.values())) for key, path in paths.items()}


def _shortest_end(path: str, paths: Sequence[str]) -> str:
    parts = path.split(".")
    ends = [".".join(parts[-length:]) for length in range(1, len(parts) + 1)]
    alone = (end for end in ends if sum(f".{p}".endswith(f".{end}") for p in paths) == 1)
    return next(alone, path)


def _is_namable(param: Param) -> bool:
    """Return whether a value may be part of a name: paths, secrets and long values may not."""
    if _UNNAMED.search(param.path):
        return False
    text = _text(param.value)
    return bool(text) and len(text) <= _LONGEST_VALUE and not _PATH.search(text)


def _order(param: Param, typed: Sequence[str]) -> tuple[int, int]:
    """Sort typed keys first, in their order, then keys of the model, then keys of the data."""
    of_data = param.path.partition(".")[0] in _DATA
    return typed.index(param.name) if param.name in typed else len(typed), int(of_data)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "" if any(isinstance(v, Mapping) for v in value) else _listed(value)
    text = "" if isinstance(value, Mapping) else _WORDS.get(repr(value), str(value))
    return _UNSEEN.sub("", text)


def _listed(values: Sequence[Any]) -> str:
    return f"[{','.join(map(_text, values))}]"


def _experiment(overrides: Sequence[str]) -> list[str]:
    """Return the last part of the value of `experiment=`; empty if there is none."""
    pairs = [override.lstrip("+").partition("=") for override in overrides]
    chosen = [value.rpartition("/")[2] for key, _, value in pairs if key == "experiment"]
    return [chosen[-1]] if chosen and chosen[-1] != "null" else []


def _fitting(parts: Sequence[str]) -> str:
    """Join as many parts as fit, and append the number of the others."""
    kept = list(_shown(parts))
    left = len(parts) - len(kept)
    return " ".join(kept) + (f" and {left} more" if left else "")


def _shown(parts: Sequence[str]) -> Iterator[str]:
    length = 0
    for number, part in enumerate(parts):
        length += len(part) + 1
        if number and length > _LONGEST:
            return
        yield part
