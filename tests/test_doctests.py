"""Examples in docstrings run and print what they show."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from types import ModuleType

import pytest

import twotower.baselines
import twotower.evaluation
import twotower.loss
import twotower.model
import twotower.negative_sampling
import twotower.testing
import twotower.tower.encoder
import twotower.training
import twotower.types

PACKAGES = (
    twotower.baselines,
    twotower.evaluation,
    twotower.loss,
    twotower.negative_sampling,
    twotower.testing,
    twotower.tower,
    twotower.training,
    twotower.types,
)


def modules() -> list[ModuleType]:
    names = [
        info.name
        for package in PACKAGES
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    return [twotower.model, *map(importlib.import_module, names)]


def examples() -> list[doctest.DocTest]:
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = [test for module in modules() for test in finder.find(module)]
    return [test for test in found if test.examples]


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.name)
def test_an_example_prints_what_its_docstring_shows(example: doctest.DocTest) -> None:
    failures: list[str] = []
    doctest.DocTestRunner().run(example, out=failures.append)
    assert not failures, "".join(failures)


@pytest.mark.parametrize(
    "package", [twotower.loss, twotower.negative_sampling, twotower.tower, twotower.tower.encoder]
)
def test_every_component_of_a_config_group_has_an_example(package: ModuleType) -> None:
    shown = {example.name.rpartition(".")[2] for example in examples()}
    features = {"FeatureTower"}  # described by its columns, in conf/tower/features.yaml
    components = {
        name
        for name in package.__all__
        if isinstance(value := getattr(package, name), type)
        and value.__module__ != f"{package.__name__}.base"
    }
    assert components - features <= shown
