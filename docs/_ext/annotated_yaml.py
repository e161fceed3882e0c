"""Read the keys of a config file together with the comments that document them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_KEY = re.compile(r"^(?P<indent> *)(?P<name>[\w./@-]+):(?: (?P<rest>.*))?$")
_TRAILING = re.compile(r"(?:^| )\s*# (?P<comment>.*)$")
_PLUMBING = {"defaults", "_target_", "_partial_", "_recursive_"}


@dataclass(frozen=True)
class Key:
    """A key of a config file.

    Attributes:
        name: With the names of the nodes above it, such as `columns.user`.
        default: As YAML; empty for a node of further keys.
        comment: The comment above the key and that behind it.
    """

    name: str
    default: str
    comment: str


def header(path: Path) -> str:
    """Return the comment that a file opens with, without Hydra's `@package`."""
    lines = []
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            break
        if "@package" not in line:
            lines.append(line[1:].strip())
    return " ".join(lines)


def keys(path: Path) -> list[Key]:
    """Return the keys of a file in its order, without targets and defaults lists."""
    text = path.read_text()
    return list(_keys(text.splitlines(), yaml.safe_load(text) or {}))


def _keys(lines: list[str], values: dict[str, Any]) -> Iterator[Key]:
    opening = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    above: list[str] = []
    nodes: list[tuple[int, str]] = []  # the nodes around a line: indentation and name
    for line in _unwrapped(lines[opening:]):
        if line.strip().startswith("#"):
            above.append(line.strip()[1:].strip())
        if (found := _KEY.match(line)) is None:
            continue
        indent, name = len(found["indent"]), found["name"]
        nodes = [*(node for node in nodes if node[0] < indent), (indent, name)]
        names = [each for _, each in nodes]
        behind = _TRAILING.search(found["rest"] or "")
        comment = " ".join([*above, *([behind["comment"]] if behind else [])])
        above = []
        value = _at(values, names)
        if not _PLUMBING & set(names) and value is not _ABSENT:
            yield Key(".".join(names), _default(value), comment)


def _unwrapped(lines: list[str]) -> list[str]:
    """Join a comment behind a value with the lines below that continue it in the same column."""
    joined: list[str] = []
    column = 0
    for line in lines:
        if column and line.lstrip().startswith("#") and line.index("#") == column:
            joined[-1] += line[column + 1 :]
            continue
        joined.append(line)
        behind = re.search(r"\S.* (# )", line)
        column = behind.start(1) if behind else 0
    return joined


_ABSENT = object()


def _at(values: Any, names: list[str]) -> Any:
    """Return the value at a path; `_ABSENT` within a list, whose value is shown as a whole."""
    for name in names:
        if not isinstance(values, dict) or name not in values:
            return _ABSENT
        values = values[name]
    return values


def _default(value: Any) -> str:
    if isinstance(value, dict) and value:
        return str(value.get("_target_", ""))
    text = yaml.safe_dump(value, default_flow_style=True, width=1000, allow_unicode=True)
    return text.removesuffix("...\n").strip()
