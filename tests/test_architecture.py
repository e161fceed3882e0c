"""Imports go one way, and each large library stays where it is meant to be."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import twotower

ROOT = Path(twotower.__file__).parent

# From the bottom up: each may import from the lines above, and from itself.
LAYERS = (
    ("core",),
    ("types",),
    ("config",),
    ("dataset", "preprocessing", "split", "negative_sampling", "tower", "loss"),
    ("model",),
    ("training", "evaluation", "baselines", "comparison"),
    ("tracking", "serving"),
    ("running",),
    ("sweeping", "diagnosis"),
    ("reporting",),
    ("commands", "testing"),
    ("api",),
    ("cli",),
)
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}

# A prepared split is made by filters, and known by the digest of what went in.
SIDEWAYS = {
    ("twotower.split.prepare", "twotower.preprocessing.preprocessing"),
    ("twotower.split.prepare", "twotower.dataset.digest"),
    ("twotower.split.streaming.prepare", "twotower.preprocessing.preprocessing"),
    ("twotower.split.streaming.prepare", "twotower.preprocessing.streamed"),
    ("twotower.split.streaming.prepare", "twotower.dataset.digest"),
    ("twotower.split.streaming.spark", "twotower.preprocessing.preprocessing"),
}

HOMES = {
    "hydra": {"cli", "config"},
    "omegaconf": {"cli", "config"},
    "pytorch_lightning": {"training"},
    "mlflow": {"tracking", "serving"},
    "replay": {"preprocessing", "split", "evaluation"},
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}


def part_of(module: str) -> str:
    """`split` for `twotower.split.prepare`; empty for `twotower` itself."""
    return module.partition(".")[2].partition(".")[0]


def imported(module: str) -> Iterator[str]:
    """Every module that `module` imports, also within functions."""
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            assert node.module is not None
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in MODULES else node.module


@cache
def own_imports() -> list[tuple[str, str]]:
    edges = [(module, name) for module in MODULES for name in imported(module)]
    return [(module, name) for module, name in edges if part_of(name) and name in MODULES]


def test_there_is_something_to_walk() -> None:
    assert len(MODULES) > 50
    assert len(own_imports()) > 100


def test_every_part_has_a_layer() -> None:
    assert {part_of(module) for module in MODULES} - {""} == set(LEVEL)


def test_imports_go_down_the_layers() -> None:
    wrong = [
        f"{module} imports {name}"
        for module, name in own_imports()
        if part_of(module)  # `twotower.run` reaches for everything, when it is called
        and part_of(module) != part_of(name)
        and LEVEL[part_of(name)] >= LEVEL[part_of(module)]
        and (module, name) not in SIDEWAYS
    ]
    assert wrong == []


def test_no_module_imports_itself_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for module, name in own_imports():
        if part_of(module):
            graph.setdefault(module, set()).add(name)
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError
    assert order.index("twotower.types") < order.index("twotower.running.experiment")


def test_packages_are_few_and_none_is_large() -> None:
    """`make architecture` prints the table."""
    lines: Counter[str] = Counter()
    for module, path in MODULES.items():
        lines[part_of(module)] += len(path.read_text().splitlines())
    reads: dict[str, set[str]] = {part: set() for part in lines}
    for module, name in own_imports():
        reads[part_of(module)].add(part_of(name))
    total = lines.total()
    print(f"\n{'package':<18} {'lines':>6} {'share':>6}  imports")
    for part in sorted(LEVEL, key=LEVEL.__getitem__):
        below = ", ".join(sorted(reads[part] - {part}, key=LEVEL.__getitem__))
        print(f"{part:<18} {lines[part]:>6,} {lines[part] / total:>6.1%}  {below}")
    arrows = sum(len(names - {part}) for part, names in reads.items() if part)
    print(f"{len(LEVEL)} packages and modules, {total:,} lines, {arrows} imports between them")
    assert len(LEVEL) <= 24
    assert {part for part, count in lines.items() if count > 0.12 * total} == set()


@pytest.mark.parametrize("library", HOMES)
def test_a_library_stays_in_its_home(library: str) -> None:
    users = {
        module
        for module in MODULES
        for name in imported(module)
        if name.partition(".")[0] == library
    }
    assert users, f"nothing imports {library}"
    assert {part_of(module) for module in users} <= HOMES[library]


def test_private_modules_of_libraries_are_not_imported() -> None:
    private = [
        f"{module} imports {name}"
        for module in MODULES
        for name in imported(module)
        if name.partition(".")[0] not in {"twotower", *sys.stdlib_module_names}
        and any(part.startswith("_") for part in name.split("."))
    ]
    assert private == []


def test_no_two_classes_share_a_name() -> None:
    sources = [*MODULES.values(), *(ROOT.parent / "hydra_plugins").rglob("*.py")]
    names = [
        node.name
        for path in sources
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    ]
    assert sorted(name for name, count in Counter(names).items() if count > 1) == []


def test_what_a_module_promises_is_there() -> None:
    wrong = [
        f"{name}.{promised}"
        for name in MODULES
        for module in [importlib.import_module(name)]
        for promised in getattr(module, "__all__", ())
        if not hasattr(module, promised)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("twotower", ("torch", "hydra", "mlflow", "pytorch_lightning", "polars")),
        # `twotower --help` answers at once
        ("twotower.cli", ("torch", "mlflow", "pytorch_lightning", "polars", "matplotlib")),
        ("twotower.commands.recommend", ("pytorch_lightning", "matplotlib")),
        ("twotower.commands.ui", ("pytorch_lightning", "matplotlib")),
        # All that an untracked `twotower train` imports
        ("twotower.running.experiment", ("mlflow", "sqlalchemy", "optuna", "implicit", "pyspark")),
    ],
)
def test_what_takes_seconds_to_import_is_imported_late(
    module: str, absent: tuple[str, ...]
) -> None:
    code = f"import sys, {module}; print(sorted(set({absent!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
