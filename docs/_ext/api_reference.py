"""Write the API pages of components, before Sphinx reads the pages: one page per config group.

A page has the contract of the group (`base.py`) and the class of each choice in conf/.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "twotower"
GROUPS = (
    *("types", "dataset", "preprocessing", "split", "negative_sampling", "tower", "loss"),
    *("evaluation", "baselines", "comparison", "trainer", "tracking"),
)


def write_pages(folder: Path) -> list[Path]:
    """Write one page per group to `folder`, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{group}.md" for group in GROUPS]
    for group, path in zip(GROUPS, paths, strict=True):
        text = "\n".join(_page(group))
        if not path.exists() or path.read_text() != text:  # else Sphinx would read it again
            path.write_text(text)
    return paths


def modules(group: str) -> list[str]:
    """Return the contract of a group, then the modules of its choices in order of their names."""
    if group == "types":
        return [*map(_module, sorted((PACKAGE / "types").glob("[!_]*.py"))), "twotower.model"]
    contracts = sorted(map(_module, (PACKAGE / group).rglob("base.py")))
    configs = (yaml.safe_load(path.read_text()) for path in _choices(group))
    targets = {target for config in configs for target in _targets(config)}
    return [*contracts, *sorted({target.rpartition(".")[0] for target in targets} - {*contracts})]


def _page(group: str) -> Iterator[str]:
    yield f"# {group}\n"
    if group != "types":
        yield f"The keys of each choice are in [the config reference](../config/{group}.md).\n"
    yield "```{eval-rst}"
    yield from (f".. automodule:: {module}\n" for module in modules(group))
    yield "```"


def _module(path: Path) -> str:
    """Return `twotower.loss.base` for its file."""
    return path.relative_to(ROOT / "src").with_suffix("").as_posix().replace("/", ".")


def _choices(group: str) -> list[Path]:
    return sorted((ROOT / "conf" / group).rglob("*.yaml"))


def _targets(node: object) -> Iterator[str]:
    """Yield every class and function of this project that a config names."""
    if isinstance(node, dict):
        if str(target := node.get("_target_", "")).startswith("twotower."):
            yield target
        for value in node.values():
            yield from _targets(value)


def _write(app: Sphinx) -> None:
    write_pages(Path(app.srcdir) / "reference" / "api")


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages when a build begins."""
    app.connect("builder-inited", _write)
    return {"parallel_read_safe": True}
