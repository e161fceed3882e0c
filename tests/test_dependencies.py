"""The declared ranges and the file of lowest versions say the same."""

from __future__ import annotations

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]


def test_the_lowest_versions_are_the_lower_bounds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    bounds = {
        requirement.name: Version(bound.version)
        for requirement in map(Requirement, project["dependencies"])
        for bound in requirement.specifier
        if bound.operator == ">="
    }
    lines = (ROOT / "constraints-lowest.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    lowest = {name: Version(version) for name, version in pins.items()}
    assert {name: lowest.get(name) for name in bounds} == bounds
    assert len(bounds) == len(project["dependencies"])
