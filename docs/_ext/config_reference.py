"""Write the reference of config groups from conf/, before Sphinx reads the pages.

Each group is one page of docs/reference/config: every choice with its comment, its class and a
table of its keys, defaults and comments. Recipes are shown as they are written.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from annotated_yaml import Key, header, keys

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
CONF = ROOT / "conf"
COMMANDS = ("train", "compare", "baselines", "recommend", "sweep", "ui")
# In the order of a run; the groups of Hydra are those that have choices of this project.
GROUPS = (
    *("dataset", "preprocessing", "split", "negative_sampling", "tower", "loss", "optimizer"),
    *("trainer", "evaluation", "baselines", "comparison", "tracking", "experiment"),
    *("hydra/launcher", "hydra/sweeper"),
)
_PACKAGES = {"trainer": "training"}  # the source folder, where its name differs
_INTRODUCTION = """\
# Config groups

Every key of `conf/`, with its default. `group=choice` selects a choice and `group.key=value` sets a
value. `twotower train --help` prints the same in the terminal, and `twotower train --cfg job` the
config that a command would run with.
"""
_MARKS = re.compile(r"([_*<\[\]$|\\])")


def write_pages(folder: Path) -> list[Path]:
    """Write every page of the reference to `folder`, and return their paths."""
    found = {
        path.relative_to(CONF).parts[0] for path in CONF.rglob("*.yaml") if path.parent != CONF
    }
    groups = [*GROUPS, *sorted(found - {group.partition("/")[0] for group in GROUPS})]
    texts = {"commands": "\n".join(_commands()), "index": "\n".join(_index(groups))}
    texts |= {group.replace("/", "_"): "\n".join(_group(group)) for group in groups}
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.md" for name in texts]
    for old in set(folder.glob("*.md")) - set(paths):
        old.unlink()
    for path, text in zip(paths, texts.values(), strict=True):
        if not path.exists() or path.read_text() != text:  # else Sphinx would read it again
            path.write_text(text)
    return paths


def _index(groups: list[str]) -> Iterator[str]:
    yield _INTRODUCTION
    yield "```{toctree}\n:maxdepth: 1\n\ncommands"
    yield from (group.replace("/", "_") for group in groups)
    yield "```\n"


def _commands() -> Iterator[str]:
    yield "# Commands\n"
    yield "The root config of each command: its keys, and the groups that it has.\n"
    for command in COMMANDS:
        path = CONF / f"{command}.yaml"
        yield f"## twotower {'sweep status' if command == 'sweep' else command}\n"
        yield _text(header(path)) + "\n"
        if groups := ", ".join(f"`{group}: {choice}`" for group, choice in _defaults(path).items()):
            yield f"Groups and their defaults: {groups}.\n"
        yield from _table([key for key in keys(path) if not key.name.startswith("hydra")], "")


def _group(group: str) -> Iterator[str]:
    yield f"# {group}\n"
    package = ROOT / "src" / "twotower" / _PACKAGES.get(group, group) / "__init__.py"
    if package.exists():
        yield (ast.get_docstring(ast.parse(package.read_text())) or "").partition("\n\n")[0] + "\n"
    selected = {**_defaults(CONF / "train.yaml"), "hydra/sweeper": "grid"}.get(group)
    for path in sorted((CONF / group).rglob("*.yaml"), key=lambda path: (len(path.parts), path)):
        name = path.relative_to(CONF / group).with_suffix("").as_posix()
        yield from _choice(path, name, group, selected)


def _choice(path: Path, name: str, group: str, selected: object) -> Iterator[str]:
    nested, _, last = name.rpartition("/")
    choice = name if group == "experiment" else last
    owner = f"{group}/{nested}" if nested and group != "experiment" else group
    override = f"{owner}=[{choice}]" if group == "baselines" else f"{owner}={choice}"
    yield f"## {override}\n"
    by_default = choice in selected if isinstance(selected, list) else name == selected
    yield ("*Selected by default.* " if by_default else "") + _text(header(path)) + "\n"
    if group == "experiment":
        yield f"```yaml\n{_body(path)}\n```\n"
        return
    found = keys(path)
    target = yaml.safe_load(path.read_text())
    target = target.get(choice, target) if group == "baselines" else target
    if str(named := target.get("_target_", "")).startswith("twotower."):
        yield f"{{py:obj}}`{named}`\n"
    if parts := _defaults(path):
        included = ", ".join(f"`{key}: {value}`" for key, value in parts.items())
        yield f"Includes {included}.\n"
    yield from _table(found, owner.replace("/", "."))


def _table(rows: list[Key], prefix: str) -> Iterator[str]:
    if not rows:
        yield "No keys.\n"
        return
    yield "| key | default | meaning |\n|---|---|---|"
    for row in rows:
        name = ".".join(part for part in (prefix, row.name) if part)
        default = f"`{row.default}`".replace("|", "\\|") if row.default else ""
        yield f"| `{name}` | {default} | {_text(row.comment)} |"
    yield ""


def _defaults(path: Path) -> dict[str, object]:
    """Return the groups of a defaults list with their choices, overrides left out."""
    entries = (yaml.safe_load(path.read_text()) or {}).get("defaults", [])
    pairs = [pair for entry in entries if isinstance(entry, dict) for pair in entry.items()]
    return {group: choice for group, choice in pairs if choice and not group.startswith("override")}


def _body(path: Path) -> str:
    """Return a recipe without its opening comment."""
    lines = path.read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    return "\n".join(lines[start:]).strip()


def _text(comment: str) -> str:
    """Return a comment as Markdown: what is not in backticks is escaped."""
    parts = comment.split("`")
    escaped = (_MARKS.sub(r"\\\1", part) for part in parts[::2])
    code = (f"`{part}`".replace("|", "\\|") for part in parts[1::2])
    pieces = [piece for pair in zip(escaped, [*code, ""], strict=True) for piece in pair]
    return "".join(pieces)


def _write(app: Sphinx) -> None:
    write_pages(Path(app.srcdir) / "reference" / "config")


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages when a build begins."""
    app.connect("builder-inited", _write)
    return {"parallel_read_safe": True}
