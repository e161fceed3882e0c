"""The choices of the group bind to their classes."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

import pytest
import yaml

CHOICES = sorted((Path(__file__).parents[2] / "conf" / "tracking").glob("*.yaml"))


def test_choices_are_found() -> None:
    assert [path.stem for path in CHOICES] == ["none", "server", "sqlite"]


@pytest.mark.parametrize("path", CHOICES, ids=lambda path: path.stem)
def test_keys_are_the_parameters(path: Path) -> None:
    keys = yaml.safe_load(path.read_text())
    module, _, name = keys.pop("_target_").rpartition(".")
    target = getattr(import_module(module), name)
    assert list(keys) == list(inspect.signature(target).parameters)
